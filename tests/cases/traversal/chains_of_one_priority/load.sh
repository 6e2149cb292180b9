nftables <<END
table inet older {
 chain marks {
  type filter hook output priority 0; policy accept;
  meta mark set 1
 }
 chain drops {
  type filter hook input priority 0; policy accept;
  tcp sport 22 meta mark 2 drop
  tcp dport 22 meta mark 2 drop
 }
}
table inet newer {
 chain drops {
  type filter hook output priority 0; policy accept;
  meta mark 1 drop
 }
 chain marks {
  type filter hook input priority 0; policy accept;
  meta mark set 2
 }
}
END
