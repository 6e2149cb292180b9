nftables <<END
table ip t { chain c { type filter hook output priority 0; tcp dport 1 jump { ct state invalid drop; accept;
    }
  }
}
END
