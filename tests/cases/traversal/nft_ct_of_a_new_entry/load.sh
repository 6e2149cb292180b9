nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct direction original tcp dport 80 drop
  ct original ip daddr 192.0.2.2 drop
  ct status & confirmed == 0 tcp dport 443 meta oifname != "lo" drop
 }
}
END
