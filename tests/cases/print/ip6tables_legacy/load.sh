ip6tables-legacy-restore < $fixtures/ip6tables.rules
