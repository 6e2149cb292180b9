ipt -t raw -A OUTPUT -p tcp -j CT --notrack
ipt -A OUTPUT -m conntrack --ctstate INVALID -j DROP
