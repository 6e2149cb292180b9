nftables <<END
table inet t {
 chain c3 {
  tcp dport 80 return
  ct state invalid drop
 }
 chain c2 {
  tcp flags & fin == fin goto c3
  drop
 }
 chain c1 {
  ip version 4 jump c2
  ip6 version 6 goto c3
  accept
 }
 chain o {
  type filter hook output priority 0; policy accept;
  jump c1
  tcp dport 443 drop
 }
}
END
