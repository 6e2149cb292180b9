leg -t nat -A PREROUTING -i lo -p tcp -j REDIRECT --to-ports 9
