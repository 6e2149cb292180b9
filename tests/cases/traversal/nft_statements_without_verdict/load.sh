nftables <<END
table inet t {
 counter k {
 }
 chain o {
  type filter hook output priority 0; policy accept;
  counter name k log prefix "x" level debug
  ct mark set 1
  meta priority set 1:2
  ct state invalid counter drop
 }
}
END
