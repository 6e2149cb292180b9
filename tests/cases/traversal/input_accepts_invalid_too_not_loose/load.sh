sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
ipt -P INPUT DROP
ipt -A INPUT -m conntrack --ctstate ESTABLISHED,INVALID -j ACCEPT
