iptables-legacy-restore < $fixtures/iptables.rules
