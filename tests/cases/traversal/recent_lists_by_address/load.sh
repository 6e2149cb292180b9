# A list notes addresses. One that a packet notes is not the one that the next rule asks for; an ACK comes from where the
# FIN went.
for tool in iptables ip6tables; do
 $tool -A OUTPUT -o veth+ -m conntrack --ctstate INVALID -m recent --name noted --set --rdest
 $tool -A OUTPUT -o veth+ -m conntrack --ctstate INVALID -m recent --name noted --rcheck --rsource -j DROP
 $tool -A OUTPUT -o veth+ -m conntrack --ctstate INVALID -m recent --name empty ! --update --rdest
 $tool -A OUTPUT -o veth+ -m recent --name empty --rcheck --rdest -j DROP
 $tool -A OUTPUT -o veth+ -p tcp --dport 443 -m conntrack --ctstate INVALID -m recent --name other ! --set --rdest
 $tool -A OUTPUT -o veth+ -p tcp --dport 443 --tcp-flags FIN,RST NONE -j ACCEPT
 $tool -A OUTPUT -o veth+ -p tcp --dport 443 -m recent --name other --rcheck --rdest -j DROP
done
