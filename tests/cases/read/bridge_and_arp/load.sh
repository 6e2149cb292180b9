nftables <<END
table bridge b { chain c { type filter hook forward priority 0; policy drop;
  }
}
table arp a { chain c { type filter hook input priority 0; policy drop;
  }
}
table ip i { }
END
