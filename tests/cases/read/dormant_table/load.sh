nftables <<END
table ip t {
  flags dormant
  chain c { type filter hook output priority 0; ct state invalid drop
  }
}
END
