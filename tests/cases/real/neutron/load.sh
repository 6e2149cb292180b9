iptables-nft-restore < $fixtures/real/neutron.iptables
