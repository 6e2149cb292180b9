nftables <<END
table inet t {
 chain c {
  type filter hook ingress device "veth0" priority 0;
  meta nfproto ipv6 tcp flags & fin == fin drop
 }
}
END
