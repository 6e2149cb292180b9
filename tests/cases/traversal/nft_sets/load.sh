nftables <<END
table inet t {
 set a {
  type ipv4_addr
  flags interval
  elements = { 192.0.2.0/31, 192.0.2.4 }
 }
 set p {
  type inet_service
  elements = { 22, 443 }
 }
 set n {
  type ipv6_addr . inet_service
  elements = { 2001:db8::2 . 80, 2001:db8::1 . 443 }
 }
 set r {
  type ipv4_addr . inet_service
  flags interval
  elements = { 192.0.2.2-192.0.2.3 . 70-90 }
 }
 set i {
  type ifname
  elements = { "lo" }
 }
 chain o {
  type filter hook output priority 0; policy accept;
  oifname @i ct state invalid accept
  ip daddr @a ct state invalid drop
  ip6 daddr . tcp dport @n drop
  ip daddr . tcp dport @r tcp flags & rst == rst drop
 }
 chain i {
  type filter hook input priority 0; policy accept;
  tcp dport != @p tcp sport @p drop
 }
}
END
