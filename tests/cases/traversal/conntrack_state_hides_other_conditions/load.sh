ipt -A OUTPUT -m conntrack --ctstate INVALID,NEW --ctorigdstport 1 -j DROP
