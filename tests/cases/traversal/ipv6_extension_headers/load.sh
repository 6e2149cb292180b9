ip6tables -A OUTPUT -m rt --rt-type 0 -j DROP
ip6tables -A OUTPUT -p tcp --dport 443 -m ipv6header --header prot -m conntrack --ctstate INVALID -j DROP
ip6tables-legacy -A INPUT -m ipv6header --header frag --soft -j DROP
