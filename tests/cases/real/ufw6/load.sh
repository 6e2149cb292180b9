ip6tables-nft-restore < $fixtures/real/ufw.ip6tables
