ipt -A INPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP
