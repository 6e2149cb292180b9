iptables-nft-restore < $fixtures/real/libvirt.iptables
