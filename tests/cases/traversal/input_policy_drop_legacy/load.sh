leg -P INPUT DROP
leg -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
leg -A INPUT -p tcp -m multiport --dports 22,443 -m conntrack --ctstate NEW -j ACCEPT
