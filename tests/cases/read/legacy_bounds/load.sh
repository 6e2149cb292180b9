iptables-legacy -A INPUT -j ACCEPT
iptables-legacy -A OUTPUT -j ACCEPT
