# The shape of Neutron's linuxbridge and ovs-hybrid firewalls. No packet comes through a bridge here.
ipt -N neutron
ipt -A INPUT -m physdev --physdev-in veth+ --physdev-is-bridged -j neutron
ipt -A INPUT -m physdev --physdev-in veth+ -j neutron
ipt -A INPUT -m physdev --physdev-out veth+ -j neutron
ipt -A INPUT -m physdev ! --physdev-in veth+ -p tcp --dport 22 -j DROP
ipt -A neutron -j DROP
