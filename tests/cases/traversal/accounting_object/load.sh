accounting_object a
ipt -A OUTPUT -m conntrack --ctstate INVALID -m nfacct --nfacct-name a -j DROP
