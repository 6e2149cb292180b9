iptables-legacy-restore < $fixtures/real/ufw.iptables
