nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid numgen random mod 3 vmap { 0 : drop, 1 : drop, 2 : drop }
 }
}
END
