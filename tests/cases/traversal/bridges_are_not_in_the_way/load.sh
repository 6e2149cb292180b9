ipt -A INPUT -m physdev --physdev-is-bridged -j ACCEPT
ipt -A INPUT -m conntrack --ctstate INVALID -j DROP
