ipset restore < $fixtures/real/cilium.ipset
iptables-nft-restore < $fixtures/real/cilium.iptables
