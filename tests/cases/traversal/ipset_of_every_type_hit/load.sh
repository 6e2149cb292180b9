# Each set holds what closing packets to port 80 and 443 have; the first that is missed lets them pass.
ipset create members4 hash:net
ipset add members4 192.0.2.0/28
ipset create b bitmap:port range 1-1000
ipset add b 80
ipset add b 443
ipset create listed4 list:set
for family in 4 6; do
 test $family = 4 && tool=iptables net=192.0.2.0/24 peer=192.0.2.2 local=192.0.2.1 inet=inet
 test $family = 6 && tool=ip6tables net=2001:db8::/64 peer=2001:db8::2 local=2001:db8::1 inet=inet6
 hit() { $tool -A OUTPUT -o veth+ -p tcp -m set ! --match-set "$@" -j ACCEPT; }
 set_of() { ipset create "$1$family" "$2" family $inet; }
 set_of ip hash:ip; ipset add ip$family $peer
 set_of net hash:net; ipset add net$family $net
 set_of ipport hash:ip,port; ipset add ipport$family $peer,80; ipset add ipport$family $peer,443
 set_of netport hash:net,port; ipset add netport$family $net,1-1000
 set_of ipportip hash:ip,port,ip; ipset add ipportip$family $peer,80,$local; ipset add ipportip$family $peer,443,$local
 set_of ipportnet hash:ip,port,net; ipset add ipportnet$family $peer,80,$net; ipset add ipportnet$family $peer,443,$net
 set_of netiface hash:net,iface; ipset add netiface$family $net,veth0
 $tool -A OUTPUT -p tcp -m multiport ! --dports 80,443 -j ACCEPT
 hit ip$family dst
 hit net$family dst
 hit b dst
 hit ipport$family dst,dst
 hit netport$family dst,dst
 hit ipportip$family dst,dst,src
 hit ipportnet$family dst,dst,src
 hit netiface$family dst,dst
done
ipset add listed4 b
ipset add listed4 members4
iptables -A OUTPUT -m set ! --match-set listed4 dst -j ACCEPT
ipt -A OUTPUT -o veth+ -p tcp -m conntrack --ctstate INVALID -j DROP
