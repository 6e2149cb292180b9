iptables-legacy-restore -c <<END
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:SUB - [0:0]
:EMPTY - [0:0]
[1:10] -A OUTPUT ! -s 192.0.2.0/24 -o eth+ -p tcp -m conntrack --ctstate INVALID -j SUB
[2:20] -A OUTPUT -g EMPTY
[3:30] -A OUTPUT
[4:40] -A OUTPUT -j REJECT
[5:50] -A SUB -j RETURN
[6:60] -A SUB -j DROP
COMMIT
END
