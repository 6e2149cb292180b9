nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid meta skuid 0 tcp flags & fin == fin reject with tcp reset
 }
}
END
nftables <<END
table inet u {
 chain c {
  type filter hook postrouting priority 0; policy accept;
  oifname "lo" tcp flags == rst tcp sport { 80, 443 } drop
 }
}
END
