ip6tables-nft-restore < $fixtures/real/kube-proxy.ip6tables
