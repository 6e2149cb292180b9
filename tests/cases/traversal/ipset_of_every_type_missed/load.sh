# Each set holds what is near; the first that is hit drops the packet. What a set excludes is not in it.
ipset create b bitmap:port range 1-1000
ipset add b 81
ipset create range bitmap:ip range 192.0.2.100-192.0.2.200
ipset add range 192.0.2.100-192.0.2.200
ipset create mac hash:mac
ipset add mac 02:00:00:00:00:01
ipset create listed list:set
for family in 4 6; do
 test $family = 4 && tool=iptables net=192.0.2.0/24 peer=192.0.2.2 local=192.0.2.1 inet=inet
 test $family = 6 && tool=ip6tables net=2001:db8::/64 peer=2001:db8::2 local=2001:db8::1 inet=inet6
 missed() { $tool -A OUTPUT -p tcp -m set --match-set "$@" -j DROP; }
 ipset create ip$family hash:ip family $inet timeout 600
 ipset add ip$family ${peer}1
 ipset create net$family hash:net family $inet
 ipset add net$family $net
 ipset add net$family $peer nomatch
 ipset create netport$family hash:net,port family $inet
 ipset add netport$family $net,udp:80
 ipset add netport$family $net,81
 ipset create netiface$family hash:net,iface family $inet
 ipset add netiface$family $net,eth7
 ipset create counted$family hash:ip family $inet counters
 ipset add listed net$family
 missed ip$family dst
 missed net$family dst
 missed netport$family dst,dst
 missed netport$family dst
 missed netiface$family dst,dst
 missed netiface$family dst,src
 missed b dst
 missed mac src
 missed listed dst
 missed counted$family dst --packets-gt 0
done
iptables -A OUTPUT -m set --match-set range dst -j DROP
iptables -A OUTPUT -d 192.0.2.2 -p tcp --dport 443 -m set --return-nomatch --match-set net4 dst -j DROP
