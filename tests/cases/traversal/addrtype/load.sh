ipt -A OUTPUT -m addrtype --dst-type LOCAL -m conntrack --ctstate INVALID -j DROP
ipt -A INPUT -m addrtype ! --src-type LOCAL -p tcp --dport 22 -j DROP
