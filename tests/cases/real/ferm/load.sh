iptables-legacy-restore < $fixtures/real/ferm.iptables
