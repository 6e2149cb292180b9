nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  meta mark set meta mark or 0x30
  meta mark & 0xf0 == 0x30 tcp dport 80 drop
  tcp dport & 0x1 == 1 ct state invalid drop
 }
}
END
