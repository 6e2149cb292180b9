# An answer that is dropped has been noted, and so its next try passes.
nftables <<END
table inet t {
 set noted4 { type ipv4_addr; flags dynamic; size 100; }
 set noted6 { type ipv6_addr; flags dynamic; size 100; }
 chain i {
  type filter hook input priority 0; policy accept;
  iifname "veth*" ct state new ip saddr @noted4 accept
  iifname "veth*" ct state new ip6 saddr @noted6 accept
  iifname "veth*" ct state new add @noted4 { ip saddr } drop
  iifname "veth*" ct state new add @noted6 { ip6 saddr } drop
 }
}
END
