iptables-nft-restore < $fixtures/real/shorewall.iptables
