nft -f $fixtures/real/vyos.nft
