iptables-legacy-restore < $fixtures/real/kube-proxy.iptables
