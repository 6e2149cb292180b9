ipt -t mangle -A OUTPUT -p tcp --dport 80 -j CONNMARK --set-mark 9
ipt -A OUTPUT -m connmark --mark 9 -j DROP
