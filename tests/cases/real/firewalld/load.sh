sed 's/"eth0"/"veth0"/' $fixtures/real/firewalld.nft | nft -f -
