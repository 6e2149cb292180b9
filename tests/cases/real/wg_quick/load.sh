ip link add wg0 type veth peer name far
ip link set far up
ip address add 198.51.100.200/32 dev wg0
ip link set wg0 up
ip route add default dev wg0 table 51820
ip rule add not fwmark 51820 table 51820
ip rule add table main suppress_prefixlength 0
nft -f $fixtures/real/wg-quick.nft
iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
