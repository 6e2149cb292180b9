nftables <<END
table ip t {
  chain sub { accept
  }
  map verdicts { type inet_service : verdict; counter
    elements = { 80 counter packets 5 bytes 50 : jump sub, * counter packets 6 bytes 60 : drop }
  }
  map marks { type inet_service : mark; elements = { 80 : 0x12345678 }
  }
  set timed { type ipv4_addr; timeout 1h; elements = { 192.0.2.1 }
  }
  set learnt { type ipv4_addr; flags dynamic; size 10
  }
  chain c { type filter hook output priority 0;
    tcp dport vmap @verdicts
    meta mark set tcp dport map @marks
    ip daddr @timed drop
    add @learnt { ip daddr }
  }
}
END
