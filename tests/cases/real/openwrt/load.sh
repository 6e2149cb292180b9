nft -f $fixtures/real/openwrt.nft
