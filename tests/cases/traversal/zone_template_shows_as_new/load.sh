nftables <<END
table inet t {
 chain c {
  type filter hook output priority -300; policy accept;
  ct zone set 5
  ct state new tcp dport 80 drop
  ct state invalid tcp dport 443 drop
 }
}
END
