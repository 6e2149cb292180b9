nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct mark != 5 drop
  ct direction original drop
  ct status & assured == 0 drop
 }
}
END
