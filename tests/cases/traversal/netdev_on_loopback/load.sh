nftables <<END
table netdev t {
 chain c {
  type filter hook ingress device "lo" priority 0;
  tcp flags & fin == fin drop
 }
}
END
