ipt -A OUTPUT -m owner ! --uid-owner 0 -m conntrack --ctstate INVALID -j DROP
