sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
leg -A OUTPUT -p tcp ! --syn -m conntrack --ctstate NEW -j DROP
