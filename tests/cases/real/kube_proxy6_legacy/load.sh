ip6tables-legacy-restore < $fixtures/real/kube-proxy.ip6tables
