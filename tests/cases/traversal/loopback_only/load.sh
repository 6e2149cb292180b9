ipt -A INPUT -i lo -m conntrack --ctstate INVALID -j DROP
