nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid drop
 }
}
END
