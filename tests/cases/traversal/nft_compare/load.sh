nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  tcp dport > 100 tcp dport <= 443 ct state invalid drop
  tcp sport < 23 drop
 }
}
END
