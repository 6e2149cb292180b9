ipt -A INPUT -p tcp --dport 22 -m socket --nowildcard -j DROP
