# The process's own FIN meets a reset that gets through to the socket: none of its later tries is made, which would pass.
leg -A OUTPUT -p tcp -m owner --uid-owner 0 -m conntrack --ctstate INVALID -j REJECT --reject-with tcp-reset
