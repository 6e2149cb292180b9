iptables-nft-restore < $fixtures/iptables.rules
