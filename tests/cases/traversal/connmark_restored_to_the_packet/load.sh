ipt -t mangle -A OUTPUT -p tcp --dport 80 -j CONNMARK --set-mark 9
ipt -t mangle -A OUTPUT -p tcp -j CONNMARK --restore-mark
ipt -A OUTPUT -m mark --mark 9 -j DROP
