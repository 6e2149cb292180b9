ipt -A OUTPUT -m conntrack ! --ctstatus ASSURED -j DROP
ipt -A OUTPUT -m connmark ! --mark 5 -j DROP
