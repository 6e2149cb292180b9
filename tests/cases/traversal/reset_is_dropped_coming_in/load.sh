ipt -A OUTPUT -p tcp -m owner --uid-owner 0 -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset
ipt -A INPUT -i lo -p tcp --tcp-flags RST RST -j DROP
