"""Containers whose packets may take another way out than the one that their namespace is known by. What passes this host's
rules by is not at risk of them, and what surely meets them is."""

import contextlib
import time
import unittest

from machine import FLAGS, NUMBER, PORT, at_risk, enter_a_machine_of_its_own, forget, sandbox, stuck, wait

FAR = "203.0.113.5"  # beyond the peer, which is the router of its network
OTHER_PORT = 8090
INVALID_IS_DROPPED = "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP"


def join(bridge, name, address, gateway):
    """A namespace behind a bridge of this host's."""
    sandbox.shell(
        f"""
        ip netns add {name}
        ip link add to-{name} type veth peer name eth0 netns {name}
        ip link set to-{name} master {bridge} up
        nsenter --net=/run/netns/{name} sh -ec '
          ip link set lo up
          ip address add {address} dev eth0
          ip link set eth0 up
          {"ip route add " + gateway + " dev eth0" if address.endswith("/32") else ":"}
          ip route add default via {gateway}'
        """
    )


class WaysOut(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sandbox.sysctl("net.ipv4.ip_forward", 1)
        # A container of the LAN's, as LXC has it: a bridge has the host's uplink as a port, and the host's address.
        sandbox.shell(
            f"""
            ip link add lan type bridge forward_delay 0
            ip link set veth0 master lan
            ip address flush dev veth0
            ip address add 192.0.2.1/24 dev lan
            ip link set lan up
            ip route add {FAR} via {sandbox.PEER}
            """
        )
        join("lan", "lxc", "192.0.2.50/24", sandbox.PEER)
        # Containers with one address each behind a bridge: their neighbour is the host alone, which routes between them.
        sandbox.shell(
            """
            ip link add single type bridge forward_delay 0
            ip address add 198.51.100.1/24 dev single
            ip link set single up
            sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.single.send_redirects=0
            """
        )
        join("single", "one", "198.51.100.10/32", "198.51.100.1")
        join("single", "two", "198.51.100.11/32", "198.51.100.1")
        # One with a macvlan on the LAN beside its way through the host.
        sandbox.shell(
            """
            ip link add link lan name direct type macvlan mode bridge
            ip link set direct netns one
            nsenter --net=/run/netns/one sh -ec 'ip address add 192.0.2.60/24 dev direct; ip link set direct up'
            """
        )
        sandbox.shell(f"ip address add {FAR}/32 dev lo; ip route add 198.51.100.0/24 via 192.0.2.1", "peer")
        enter_a_machine_of_its_own()

    def setUp(self):
        self.scene = contextlib.ExitStack()
        self.addCleanup(self.scene.close)
        self.addCleanup(sandbox.shell, "iptables -F FORWARD; conntrack -F 2>/dev/null || true")
        for name in ("lxc", "one", "two"):  # what another test left stuck is gone
            self.addCleanup(sandbox.shell, "ss -K state fin-wait-1 state closing >/dev/null || true", name)
        sandbox.shell(f"sysctl -qw net.bridge.bridge-nf-call-iptables=0; {INVALID_IS_DROPPED}")

    def open(self, container, to, number, port=PORT):
        return self.scene.enter_context(sandbox.connections(number, port, where=container, to=to))

    def seen(self, number):
        """The service has seen `number` connections, and those that have entries with them; then all entries are gone."""
        self.scene.enter_context(sandbox.exporter(*FLAGS))
        established = 'finwait_tcp_sockets{family="ipv4",state="established"}'
        wait("connections", lambda s: s.get(established, 0) >= number)
        time.sleep(3)
        forget()
        time.sleep(3)

    def assert_at_risk(self, number):
        """Of what the host's rules do; nothing is unknown."""
        series = wait(f"{number} at risk", lambda s: at_risk(s, "fin_dropped") == number and s)
        self.assertEqual(at_risk(series, "unknown"), 0)

    def test_what_a_bridge_passes_to_a_gateway_meets_no_rule(self):
        self.scene.enter_context(sandbox.peer_listening(PORT))
        self.scene.enter_context(sandbox.peer_listening(OTHER_PORT, where=None))
        here = self.open("lxc", sandbox.LOCAL, 1, OTHER_PORT)  # shows that the namespace is tracked
        beyond = self.open("lxc", FAR, NUMBER)
        self.seen(NUMBER + 1)
        self.assert_at_risk(0)
        for process in (here, beyond):
            process.kill()
        time.sleep(5)
        self.assertEqual(sandbox.shell("ss -Htn state fin-wait-1", "lxc"), "")

    def test_what_the_host_routes_behind_one_bridge_meets_its_rules(self):
        self.scene.enter_context(sandbox.peer_listening(PORT, where="two"))
        process = self.open("one", "198.51.100.11", NUMBER)
        self.seen(2 * NUMBER)
        self.assert_at_risk(2 * NUMBER)  # both ends
        process.kill()
        wait("them stuck", lambda s: stuck(s, "forward_drop") == NUMBER)

    def test_what_leaves_by_a_macvlan_meets_no_rule_though_others_do(self):
        self.scene.enter_context(sandbox.peer_listening(PORT))
        through = self.open("one", FAR, 2)
        beside = self.open("one", sandbox.PEER, NUMBER)
        self.seen(NUMBER + 2)
        self.assert_at_risk(2)
        for process in (through, beside):
            process.kill()
        wait("those stuck that the host forwards", lambda s: stuck(s, "forward_drop") == 2)
        self.assertEqual(len(sandbox.shell("ss -Htn state fin-wait-1", "one").splitlines()), 2)


if __name__ == "__main__":
    sandbox.enter_or_skip()
    unittest.main()
