iptables-legacy-restore < $fixtures/real/podman.iptables
