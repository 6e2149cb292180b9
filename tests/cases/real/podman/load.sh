iptables-nft-restore < $fixtures/real/podman.iptables
