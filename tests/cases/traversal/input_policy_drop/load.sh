ipt -P INPUT DROP
ipt -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
ipt -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT
