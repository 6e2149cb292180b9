iptables -t nat -A POSTROUTING -s 192.0.2.1 -o veth0 -j MASQUERADE
