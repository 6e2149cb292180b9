nftables <<END
table ip t {
  set hashed { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2, 192.0.2.3 }
  }
  set ranges { type ipv4_addr; flags interval; elements = { 192.0.2.1, 192.0.2.3, 192.0.2.5 }
  }
  chain sub { accept
  }
  chain c { type filter hook output priority 0;
    ip daddr @hashed drop
    ip daddr @ranges drop
    jump sub
  }
  chain d { type filter hook output priority 1; drop
  }
}
END
