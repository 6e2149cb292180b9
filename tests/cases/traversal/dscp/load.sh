ipt -A OUTPUT -m dscp --dscp 0 -p tcp --dport 443 -j DROP
ipt -A OUTPUT -m tos ! --tos 0 -j DROP
