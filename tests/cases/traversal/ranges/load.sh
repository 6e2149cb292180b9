iptables-legacy -A OUTPUT -m iprange --dst-range 192.0.2.3-192.0.2.9 -m conntrack --ctstate INVALID -j DROP
ip6tables -A OUTPUT -p tcp -m multiport ! --ports 80,100:500 -m conntrack --ctstate INVALID -j DROP
