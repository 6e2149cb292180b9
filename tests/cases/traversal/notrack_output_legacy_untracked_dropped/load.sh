leg -t raw -A OUTPUT -p tcp --dport 80 -j CT --notrack
leg -A OUTPUT -m conntrack --ctstate UNTRACKED -j DROP
