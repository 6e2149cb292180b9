iptables-nft-restore < $fixtures/real/csf.iptables
