nftables <<END
table ip t {
  chain jumped { accept
  }
  chain gone_to { goto deeper
  }
  chain deeper { drop
  }
  chain mapped { accept
  }
  chain unreached { drop
  }
  chain nat_only { accept
  }
  chain filter { type filter hook output priority 0;
    tcp dport 1 jump jumped
    tcp dport 2 goto gone_to
    tcp dport vmap { 3 : jump mapped, 4 : accept }
  }
  chain nat { type nat hook output priority -100; jump nat_only
  }
}
END
