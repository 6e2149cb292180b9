ipt -A OUTPUT -p tcp --tcp-flags FIN FIN -m length --length 1000:65535 -j DROP
iptables-legacy -A OUTPUT -m ttl --ttl-lt 1 -j DROP
