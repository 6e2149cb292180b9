nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  @th,16,16 80 @th,104,8 & 0x1 == 0x1 drop
  @nh,0,8 & 0xf0 == 0x60 @th,16,16 443 drop
 }
}
END
