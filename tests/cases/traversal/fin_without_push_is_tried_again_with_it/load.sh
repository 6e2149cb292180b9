ipt -A OUTPUT -p tcp --tcp-flags ALL FIN,ACK -j DROP
