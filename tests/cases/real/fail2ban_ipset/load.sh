ipset restore < $fixtures/real/fail2ban.ipset
iptables-nft-restore < $fixtures/real/fail2ban-ipset.iptables
iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
