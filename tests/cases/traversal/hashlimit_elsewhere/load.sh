ipt -A OUTPUT -p udp -m limit --limit 1/min -j ACCEPT
ipt -A OUTPUT -m conntrack --ctstate INVALID -j DROP
