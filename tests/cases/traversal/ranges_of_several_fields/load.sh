# Ranges of several fields may overlap: the first that was put in counts, whichever begins first.
nftables <<END
table inet t {
 map m {
  type inet_proto . inet_service : verdict; flags interval
  elements = { tcp . 80-500 : drop, icmp . 1-1000 : accept }
 }
 chain c {
  type filter hook output priority 0; policy accept;
  oifname "veth*" ct state invalid meta l4proto . tcp dport vmap @m
 }
}
END
