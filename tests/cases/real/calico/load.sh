iptables-nft-restore < $fixtures/real/calico.iptables
