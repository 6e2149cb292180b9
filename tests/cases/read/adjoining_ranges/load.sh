nftables <<END
table ip t { chain c { type filter hook output priority 0;
    tcp dport vmap { 1-9 : accept, 10-19 : drop, 20 : return }
  }
}
END
