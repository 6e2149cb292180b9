nftables <<END
table inet t {
 chain c {
  type filter hook postrouting priority 0; policy accept;
  oifname "veth0" ct state invalid drop
 }
}
END
