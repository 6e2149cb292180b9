nft -f $fixtures/real/kube-proxy6.nft
