ipt -P INPUT DROP
ipt -A INPUT -m conntrack --ctstate ESTABLISHED,INVALID -j ACCEPT
