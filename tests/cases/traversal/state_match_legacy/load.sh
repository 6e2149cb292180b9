leg -A OUTPUT -m state --state INVALID -j DROP
