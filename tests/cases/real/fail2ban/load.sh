nft -f $fixtures/real/fail2ban.nft
iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
