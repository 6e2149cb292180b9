nftables <<END
table inet t {
  chain a { type filter hook input priority -5; policy drop;
  }
  chain b { type filter hook ingress device "lo" priority 7;
  }
}
table ip t { chain c { type route hook output priority mangle;
  }
}
table ip6 t { chain d { type nat hook postrouting priority srcnat;
  }
}
END
