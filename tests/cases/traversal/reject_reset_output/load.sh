ipt -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset
