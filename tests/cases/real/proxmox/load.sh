iptables-nft-restore < $fixtures/real/proxmox.iptables
