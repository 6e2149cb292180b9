nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  meta skuid 0 ct state invalid accept
  ct state invalid drop
 }
}
END
