nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  tcp dport vmap { 22 : accept, 80-500 : drop, * : accept }
  tcp sport 22 drop
 }
}
END
