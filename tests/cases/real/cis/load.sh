nft -f $fixtures/real/cis.nft
