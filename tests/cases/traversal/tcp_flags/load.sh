ipt -A OUTPUT -p tcp --tcp-flags ALL RST,ACK -j DROP
leg -A INPUT -p tcp --tcp-flags FIN,ACK FIN,ACK -j DROP
