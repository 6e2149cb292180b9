nftables <<END
table inet t {
 chain c {
  type filter hook input priority 0; policy accept;
  socket wildcard 1 drop
  socket wildcard 0 tcp dport 22 drop
 }
}
END
