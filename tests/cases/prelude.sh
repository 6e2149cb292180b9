# Read before each load.sh, which `sh -e` runs in a namespace and in its own folder.

fixtures=../../../fixtures/firewall

# iptables, and iptables-legacy, of both families.
ipt() { iptables "$@" && ip6tables "$@"; }
leg() { iptables-legacy "$@" && ip6tables-legacy "$@"; }

# A ruleset on standard input.
nftables() { nft -f -; }

# A counter of nfnetlink_acct, as kube-proxy makes one: the tools that the tests install have none for that.
accounting_object() {
  python3 - "$1" <<'END'
import socket, struct, sys
name = sys.argv[1].encode() + b"\0"
attribute = struct.pack("=HH", 4 + len(name), 1) + name + b"\0" * (-len(name) % 4)
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
kernel.send(struct.pack("=IHHIIBBH", 20 + len(attribute), 0x700, 0x405, 1, 0, 0, 0, 0) + attribute)
assert struct.unpack_from("=i", kernel.recv(4096), 16)[0] == 0
END
}
