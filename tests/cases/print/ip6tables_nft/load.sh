ip6tables-nft-restore < $fixtures/ip6tables.rules
