iptables-nft-restore < $fixtures/real/kube-proxy.iptables
