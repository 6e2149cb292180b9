ipt -A INPUT -m devgroup --src-group 0 -p tcp --sport 80 -m conntrack --ctstate INVALID -j DROP
ipt -A INPUT -i lo -m mac --mac-source 00:00:00:00:00:01 -j DROP
