ip link add eth0 type veth peer name eth1
nftables <<END
table netdev n {
  chain in { type filter hook ingress devices = { eth0, eth1 } priority 0; tcp dport 1 drop
  }
  chain out { type filter hook egress device eth0 priority 0; tcp dport 2 drop
  }
}
END
