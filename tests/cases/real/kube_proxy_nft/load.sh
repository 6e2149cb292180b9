nft -f $fixtures/real/kube-proxy.nft
