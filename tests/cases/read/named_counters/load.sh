nftables <<END
table ip t {
  counter used { packets 3 bytes 30
  }
  counter unused { packets 4 bytes 40
  }
  chain c { type filter hook output priority 0; counter name "used" drop
  }
}
END
