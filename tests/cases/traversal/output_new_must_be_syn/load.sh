leg -A OUTPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP
