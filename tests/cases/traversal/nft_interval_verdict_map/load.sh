nftables <<END
table inet t {
 chain c {
  type filter hook input priority 0; policy accept;
  tcp sport vmap { 0-79 : accept, 80-442 : drop, 443-65535 : accept }
 }
}
END
