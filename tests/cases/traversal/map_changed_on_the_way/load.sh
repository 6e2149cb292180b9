nftables <<END
table inet t {
 map m {
  type inet_service : mark
  flags dynamic,timeout
  timeout 1h
  elements = { 443 : 9 }
 }
 map gone {
  type inet_service : mark
  flags dynamic
  size 100
  elements = { 80 : 3 }
 }
 chain o {
  type filter hook output priority 0; policy accept;
  meta mark set 7
  update @m { tcp dport : meta mark }
  meta mark set 1
  tcp dport 80 delete @gone { tcp dport : meta mark }
  tcp dport 80 add @gone { tcp dport : meta mark }
  meta mark set 0
  meta mark set tcp dport map @m
  tcp dport 443 meta mark 7 ct state invalid drop
  meta mark 9 tcp flags & rst == rst drop
  meta mark set 0
  meta mark set tcp dport map @gone
  tcp dport 80 meta mark 3 drop
  tcp dport 80 meta mark 1 ct state invalid tcp flags & fin == fin drop
 }
 chain i {
  type filter hook input priority 0; policy accept;
  meta mark set tcp sport map @m
  tcp dport 22 meta mark 7 tcp flags & fin == fin drop
 }
}
END
