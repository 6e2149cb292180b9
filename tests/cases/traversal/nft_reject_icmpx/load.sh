nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid reject with icmpx type admin-prohibited
 }
}
END
