iptables -A OUTPUT ! -d 192.0.2.2 -m conntrack --ctstate INVALID -j DROP
ip6tables -A OUTPUT ! -s 2001:db8::1/128 -m conntrack --ctstate INVALID -j DROP
