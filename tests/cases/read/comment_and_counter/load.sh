nftables <<END
table ip t { chain c { type filter hook output priority 0;
    counter packets 7 bytes 700 accept comment "first"
    drop
  }
}
END
