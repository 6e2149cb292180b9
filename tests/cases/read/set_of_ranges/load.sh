nftables <<END
table ip t {
  set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7, 224.0.0.0/3 }
  }
  chain c { type filter hook output priority 0; ip daddr @s drop
  }
}
END
