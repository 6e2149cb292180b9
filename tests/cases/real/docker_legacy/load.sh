iptables-legacy-restore < $fixtures/real/docker.iptables
