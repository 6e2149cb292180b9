# The process's own FIN meets a reset that gets through to the socket: none of its later tries is made, which would pass.
nftables <<END
table inet t {
 chain c {
  type filter hook output priority 0; policy accept;
  ct state invalid meta skuid 0 tcp flags & fin == fin reject with tcp reset
 }
}
END
