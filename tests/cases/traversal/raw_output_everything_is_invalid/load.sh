leg -t raw -A OUTPUT -m conntrack --ctstate INVALID -j DROP
