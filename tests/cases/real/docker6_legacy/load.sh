ip6tables-legacy-restore < $fixtures/real/docker.ip6tables
