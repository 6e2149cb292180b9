ip6tables-legacy -A OUTPUT -d 2001:db8::1 -j DROP
