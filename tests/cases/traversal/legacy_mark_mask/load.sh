leg -t mangle -A OUTPUT -p tcp --dport 443 -j MARK --set-xmark 0x12/0xff
leg -A OUTPUT -m mark --mark 0x10/0xf0 -m conntrack --ctstate INVALID -j DROP
