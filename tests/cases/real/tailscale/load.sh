iptables-nft-restore < $fixtures/real/tailscale.iptables
