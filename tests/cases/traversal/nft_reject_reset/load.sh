nftables <<END
table inet t {
 chain c {
  type filter hook input priority 0; policy accept;
  ct state invalid reject with tcp reset
 }
}
END
