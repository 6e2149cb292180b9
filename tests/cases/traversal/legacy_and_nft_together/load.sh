leg -A OUTPUT -p tcp --dport 80 -j ACCEPT
nftables <<END
table inet t {
 chain c {
  type filter hook output priority 5; policy accept;
  ct state invalid tcp dport 80 drop
 }
}
END
