iptables -A OUTPUT -m conntrack --ctstate INVALID -j REJECT
