nftables <<END
table inet t {
 chain c {
  type filter hook output priority -10; policy accept;
  ct state invalid ct zone set 3
  ct state new tcp dport 443 drop
 }
}
END
