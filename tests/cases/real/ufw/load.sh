iptables-nft-restore < $fixtures/real/ufw.iptables
