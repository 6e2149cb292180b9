# The ACK of a FIN is new coming in, and is answered with a reset: the socket that sent it is gone, and sends no second one.
nft -f - <<'END'
table ip t {
	chain i {
		type filter hook input priority -199; policy accept;
		ct state new tcp flags ack reject with tcp reset
	}
}
END
