ipt -A INPUT -m pkttype --pkt-type host -p tcp --dport 22 -j DROP
ipt -A OUTPUT -m physdev ! --physdev-is-bridged -p tcp --dport 443 -j DROP
