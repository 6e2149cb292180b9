nft -f $fixtures/native.nft
