iptables-nft-restore < $fixtures/real/istio.iptables
