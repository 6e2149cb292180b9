nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state vmap { invalid : drop, established : accept }
 }
}
END
