nftables <<END
table inet a {
 chain c {
  type filter hook output priority -150; policy accept;
  ct state invalid tcp dport { 80, 443 } meta mark set 0x7
 }
}
END
nftables <<END
table inet b {
 chain c {
  type filter hook output priority 0; policy accept;
  meta mark 0x7 drop
 }
}
END
