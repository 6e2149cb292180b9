nftables <<END
table inet t {
 set gone { type inet_service; flags dynamic; size 100; elements = { 22, 443 } }
 set came { type inet_service; flags dynamic; size 100; }
 chain c {
  type filter hook input priority 0; policy accept;
  tcp sport { 22, 443 } delete @gone { tcp sport }
  tcp sport @gone drop
  tcp dport 22 add @came { tcp dport }
  tcp dport @came drop
 }
}
END
