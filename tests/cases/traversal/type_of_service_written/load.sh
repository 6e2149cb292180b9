# What a rule writes is what later ones see; what it leaves of the byte stays.
ipt -t mangle -A OUTPUT -p tcp --dport 80 -j DSCP --set-dscp 46
ipt -t mangle -A POSTROUTING -p tcp --dport 80 -m dscp --dscp 8 -j DROP
ipt -t mangle -A OUTPUT -p tcp --dport 443 -j TOS --set-tos 0x48/0xfc
ipt -t mangle -A OUTPUT -p tcp --dport 443 -j TOS --xor-tos 0x40
iptables -t mangle -A OUTPUT -p tcp --dport 443 -j ECN --ecn-tcp-remove
ipt -t mangle -A POSTROUTING -p tcp --dport 443 -m tos --tos 0x08/0xfc -m conntrack --ctstate INVALID -j DROP
iptables -t mangle -A OUTPUT -p tcp --dport 22 -j TTL --ttl-set 9
ip6tables -t mangle -A OUTPUT -p tcp --dport 22 -j HL --hl-set 9
iptables -t mangle -A OUTPUT -p tcp --dport 22 -j TTL --ttl-dec 2
ip6tables -t mangle -A OUTPUT -p tcp --dport 22 -j HL --hl-inc 2
iptables -t mangle -A POSTROUTING -p tcp --dport 22 -m ttl --ttl-gt 7 -j DROP
ip6tables -t mangle -A POSTROUTING -p tcp --dport 22 -m hl --hl-lt 11 -j DROP
