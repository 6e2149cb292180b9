leg -N a
leg -N b
leg -A OUTPUT -p tcp --dport 80 -j a
leg -A OUTPUT -p tcp --dport 443 -g b
leg -A OUTPUT -m conntrack --ctstate INVALID -j DROP
leg -A a -m conntrack --ctstate INVALID -j RETURN
leg -A a -j DROP
leg -A b -p tcp --tcp-flags FIN FIN -j RETURN
leg -A b -j DROP
