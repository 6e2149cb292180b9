nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid tcp flags == fin|ack reject with tcp reset
  tcp flags == rst tcp dport 80 drop
 }
}
END
