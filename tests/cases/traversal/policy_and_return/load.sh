leg -P OUTPUT DROP
leg -A OUTPUT -p tcp --dport 80 -j RETURN
leg -A OUTPUT -j ACCEPT
