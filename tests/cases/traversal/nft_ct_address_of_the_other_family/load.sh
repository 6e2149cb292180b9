nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct original ip saddr != 203.0.113.9 tcp flags & fin == 0 drop
 }
 chain d {
  type filter hook input priority 0; policy accept;
  iifname != "lo" ct reply ip6 daddr != 2001:db8::99 drop
 }
}
END
