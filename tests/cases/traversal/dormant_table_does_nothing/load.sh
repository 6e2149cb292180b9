nftables <<END
table inet t {
 flags dormant;
 chain o {
  type filter hook output priority 0; policy drop;
  ct state invalid drop
 }
}
END
