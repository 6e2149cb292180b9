nftables <<END
table ip t {
 chain c {
  type filter hook output priority 0;
  meta iiftype loopback drop
 }
 chain p {
  type filter hook postrouting priority 0;
  tcp flags & (fin|rst) != 0 tcp dport 80 meta iiftype ether drop
 }
}
END
