iptables -A OUTPUT -p tcp --tcp-flags FIN FIN --dport 443 -m length --length 52 -j DROP
iptables -A OUTPUT -p tcp --tcp-flags FIN FIN -m length --length 53:60 -j DROP
ip6tables -A OUTPUT -p tcp --tcp-flags FIN FIN --dport 443 -m length --length 72 -j DROP
ip6tables -A OUTPUT -p tcp --tcp-flags FIN FIN -m length ! --length 72 -j DROP
