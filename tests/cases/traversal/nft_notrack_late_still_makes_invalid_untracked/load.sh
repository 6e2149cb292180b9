nftables <<END
table inet t {
 chain c {
  type filter hook output priority -10; policy accept;
  ct state invalid notrack
 }
}
END
nftables <<END
table inet u {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid drop
  ct state untracked tcp dport 443 drop
 }
}
END
