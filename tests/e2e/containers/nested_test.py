"""Several forwarding namespaces in a row, as kind and Docker in Docker make them: a pod behind a node that is a container
itself. What becomes of such a pod's connections is unknown, never guessed, while that of the node's own is told by count."""

import contextlib
import json
import time
import unittest

from machine import FLAGS, NUMBER, PORT, at_risk, enter_a_machine_of_its_own, forget, sandbox, stuck, wait

OWN = 5  # connections of the node's own
PODS = "203.0.113"  # the network behind the node
FATES = ("fin_dropped", "ack_dropped", "nat_lost", "peer_fin_dropped", "peer_decides")
CAUSES = ("local_drop", "reply_drop", "forward_drop", "nat_lost", "no_reply", "local_error")


class Nested(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        addresses = sandbox.add_hosts(["node"])
        sandbox.shell(f"ip route add default via {sandbox.HUB}; sysctl -qw net.ipv4.ip_forward=1", "node")
        sandbox.shell(
            f"""ip netns add pod; ip netns exec node ip link add pods type veth peer name eth0 netns pod
            ip netns exec node sh -ec 'ip address add {PODS}.1/24 dev pods; ip link set pods up'
            ip netns exec pod sh -ec 'ip link set lo up; ip address add {PODS}.2/24 dev eth0; ip link set eth0 up
            ip route add default via {PODS}.1'"""
        )
        sandbox.sysctl("net.ipv4.ip_forward", 1)
        sandbox.shell(f"ip route add {PODS}.0/24 via {addresses['node']}")
        sandbox.shell(f"ip route add 198.51.100.0/24 via 192.0.2.1; ip route add {PODS}.0/24 via 192.0.2.1", "peer")
        enter_a_machine_of_its_own()

    def setUp(self):
        self.scene = contextlib.ExitStack()
        self.addCleanup(self.scene.close)
        for name in ("node", "pod"):
            self.addCleanup(sandbox.shell, "iptables -F; iptables -t nat -F; conntrack -F 2>/dev/null || true", name)
            self.addCleanup(sandbox.shell, "ss -K state fin-wait-1 >/dev/null || true", name)
            self.scene.enter_context(sandbox.running(["sleep", "600"], where=name))
        self.addCleanup(sandbox.shell, "iptables -F; conntrack -F 2>/dev/null || true")
        sandbox.shell("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")

    def begin(self, depth, how):
        self.scene.enter_context(sandbox.peer_listening(PORT))
        self.scene.enter_context(sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]))
        pods = self.scene.enter_context(sandbox.connections(NUMBER, PORT, where="pod"))
        own = self.scene.enter_context(sandbox.connections(OWN, PORT, where="node"))
        established = 'finwait_tcp_sockets{family="ipv4",state="established"}'
        wait("all connections", lambda s: s.get(established, 0) >= NUMBER + OWN)
        wait(f"two {how}", lambda s: s[f'finwait_network_namespaces{{coverage="{how}"}}'] == 2)
        time.sleep(3)  # seen with their entries at least once
        return pods, own

    def said(self, part):
        """What the service says, which has watched."""
        report = json.loads(sandbox.get("http://127.0.0.1:10061/api/v1/report")[1])
        return " ".join(one["text"] for one in report["explanation"][part])

    def assert_nothing_is_guessed(self, series, **known):
        self.assertEqual({fate: at_risk(series, fate) for fate in FATES if at_risk(series, fate)}, known)

    def told_by_count_and_the_rest_unknown(self, depth, how):
        """The node routes: the host has an entry of each of the pod's connections."""
        pods, own = self.begin(depth, how)
        self.assert_nothing_is_guessed(sandbox.metrics())
        forget()
        wait("the node's own at risk", lambda s: at_risk(s, "fin_dropped") == OWN)
        wait("the pod's unknown", lambda s: at_risk(s, "unknown") == NUMBER)
        self.assert_nothing_is_guessed(sandbox.metrics(), fin_dropped=OWN)
        own.kill()
        pods.kill()
        wait("the node's own stuck", lambda s: stuck(s, "forward_drop") == OWN)
        wait("the pod's stuck", lambda _: int(sandbox.shell("ss -Htn state fin-wait-1 | wc -l", "pod")) == NUMBER)
        time.sleep(5)
        series = sandbox.metrics()
        self.assertEqual({cause: stuck(series, cause) for cause in CAUSES if stuck(series, cause)}, {"forward_drop": OWN})
        self.assertIn(f"{NUMBER} sockets stuck for a reason that cannot be told", self.said("stuck"))

    def test_a_node_that_routes_observed(self):
        self.told_by_count_and_the_rest_unknown("observe", "observed")

    def test_a_node_that_routes_entered(self):
        self.told_by_count_and_the_rest_unknown("enter", "entered")

    def never_tracked_here(self, depth, how):
        """The node translates: the host knows the pod's connections by other ends, and tells nothing of them."""
        sandbox.shell(f"iptables -t nat -A POSTROUTING -s {PODS}.0/24 -o eth0 -j MASQUERADE", "node")
        _, own = self.begin(depth, how)
        forget()
        sandbox.shell("conntrack -F 2>/dev/null || true", "node")
        wait("the node's own at risk", lambda s: at_risk(s, "fin_dropped") == OWN)
        time.sleep(3)
        series = sandbox.metrics()
        self.assert_nothing_is_guessed(series, fin_dropped=OWN)
        untracked = f"{NUMBER} open connections of other network namespaces have no entry in this host's conntrack table"
        self.assertIn(untracked, self.said("cannot_see"))
        own.kill()
        wait("the node's own stuck", lambda s: stuck(s, "forward_drop") == OWN)

    def test_a_node_that_translates_observed(self):
        self.never_tracked_here("observe", "observed")

    def test_a_node_that_translates_entered(self):
        self.never_tracked_here("enter", "entered")


if __name__ == "__main__":
    sandbox.enter_or_skip()
    unittest.main()
