nftables <<END
table inet t {
 chain c {
  type filter hook prerouting priority -300; policy accept;
  ct state invalid drop
 }
}
END
