ipt -A OUTPUT -m conntrack --ctstate INVALID -j DROP
