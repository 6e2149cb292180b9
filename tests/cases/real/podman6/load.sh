ip6tables-nft-restore < $fixtures/real/podman.ip6tables
