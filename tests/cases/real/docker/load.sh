iptables-nft-restore < $fixtures/real/docker.iptables
