ipt -t mangle -A POSTROUTING -j CONNMARK --restore-mark
ipt -t mangle -A POSTROUTING -p tcp -m conntrack --ctstate NEW -j CONNMARK --set-mark 4
ipt -A INPUT -i lo -m conntrack --ctstate NEW -m mark ! --mark 4 -j DROP
