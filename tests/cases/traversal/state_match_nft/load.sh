ipt -A INPUT -m state --state INVALID -j DROP
