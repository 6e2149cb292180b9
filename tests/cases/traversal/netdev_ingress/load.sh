nftables <<END
table netdev t {
 chain c {
  type filter hook ingress device "veth0" priority 0;
  tcp flags & (fin|ack) == fin|ack tcp dport 22 drop
  tcp flags == ack drop
 }
}
END
