ip6tables-nft-restore < $fixtures/real/docker.ip6tables
