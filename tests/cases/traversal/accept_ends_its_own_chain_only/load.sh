nftables <<END
table inet a {
 chain c {
  type filter hook output priority -1; policy accept;
  accept
 }
}
END
nftables <<END
table inet b {
 chain c {
  type filter hook output priority 1; policy accept;
  ct state invalid drop
 }
}
END
