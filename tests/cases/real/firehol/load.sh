iptables-legacy-restore < $fixtures/real/firehol.iptables
