ipt -t mangle -A OUTPUT -p tcp --dport 80 -j MARK --set-mark 3
ipt -t mangle -A OUTPUT -p tcp -j CONNMARK --save-mark --left-shift-mark 4
ipt -A OUTPUT -o veth0 -m connmark --mark 0x30 -j DROP
ipt -t mangle -A INPUT -p tcp -j CONNMARK --set-mark 0x28 --right-shift-mark 3
ipt -t mangle -A INPUT -p tcp -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf --left-shift-mark 1
ipt -A INPUT -i veth0 -m mark --mark 0xa -j DROP
