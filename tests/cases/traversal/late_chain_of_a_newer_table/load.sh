# Whenever a newer table got its chain, the one that the older table was made with was there: the newer one runs first.
nftables <<END
table inet older {
 chain drops {
  type filter hook output priority 0; policy accept;
  tcp dport 80 meta mark 1 drop
  tcp dport 443 meta mark 0 drop
 }
}
table inet newer {
 chain marks {
  meta mark set 1
 }
}
END
nft add chain inet newer late '{ type filter hook output priority 0; policy accept; }'
nft add rule inet newer late jump marks
