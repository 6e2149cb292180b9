leg -t raw -A PREROUTING -m rpfilter --invert -j DROP
leg -A INPUT -m conntrack --ctstate INVALID -j DROP
