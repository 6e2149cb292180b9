leg -A OUTPUT ! -o lo -m conntrack --ctstate INVALID -j DROP
leg -A INPUT -i ve+ -p tcp --sport 443 -j DROP
