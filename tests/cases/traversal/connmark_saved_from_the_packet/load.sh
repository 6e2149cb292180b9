ipt -t mangle -A OUTPUT -p tcp --dport 80 -j MARK --set-mark 3
ipt -t mangle -A OUTPUT -p tcp -j CONNMARK --save-mark --nfmask 0x1 --ctmask 0xff
ipt -A OUTPUT -m connmark --mark 1 -j DROP
