nftables <<END
table ip t { chain c { type filter hook output priority 0;
    ip daddr . tcp dport { 192.0.2.0/24 . 80-90, 198.51.100.1 . 443 } drop
  }
}
END
