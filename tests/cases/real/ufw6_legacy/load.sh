ip6tables-legacy-restore < $fixtures/real/ufw.ip6tables
