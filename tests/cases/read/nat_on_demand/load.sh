nftables <<END
table ip t {
  chain service { dnat to 192.0.2.1
  }
  chain nat { type nat hook output priority -100; ip daddr 198.51.100.1 jump service
  }
}
END
