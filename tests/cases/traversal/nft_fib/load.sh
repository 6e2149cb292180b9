nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  fib daddr type local ct state invalid drop
 }
}
END
nftables <<END
table inet u {
 chain c {
  type filter hook prerouting priority -300; policy accept;
  fib saddr . iif oif missing drop
 }
}
END
