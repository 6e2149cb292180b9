leg -t security -A OUTPUT -d 192.0.2.2/32 -m conntrack --ctstate INVALID,NEW -j DROP 2>/dev/null || iptables-legacy -t security -A OUTPUT -d 192.0.2.2/32 -m conntrack --ctstate INVALID,NEW -j DROP
