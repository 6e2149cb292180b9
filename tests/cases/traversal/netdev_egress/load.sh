nftables <<END
table netdev t {
 chain c {
  type filter hook egress device "veth0" priority 0;
  tcp flags & (fin|rst) != 0 tcp dport 80 drop
 }
}
END
