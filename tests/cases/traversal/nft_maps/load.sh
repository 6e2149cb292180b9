nftables <<END
table inet t {
 map m {
  type inet_service : mark
  elements = { 80 : 1, 443 : 2 }
 }
 map v {
  type mark . ifname : verdict
  elements = { 1 . "veth0" : drop, 2 . "lo" : goto g }
 }
 chain g {
  ct state invalid drop
 }
 chain o {
  type filter hook output priority 0; policy accept;
  meta mark set tcp dport map @m
  meta mark . oifname vmap @v
 }
}
END
