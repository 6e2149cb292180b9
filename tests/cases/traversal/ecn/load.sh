ipt -A OUTPUT -p tcp -m ecn --ecn-tcp-ece -j DROP
leg -A OUTPUT -p tcp --dport 443 -m ecn ! --ecn-tcp-cwr -m conntrack --ctstate INVALID -j DROP
