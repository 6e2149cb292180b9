"""Containers and pods as the exporter observes them: what it foretells of their connections, what it finds stuck, and
whose it says they are. Real packets over a real bridge, with the host's own NAT and rules between.

The pods are network namespaces with processes in them; docker_test.py has real containers."""

import contextlib
import os
import pathlib
import time
import unittest

from machine import FLAGS, NUMBER, PORT, at_risk, check, enter_a_machine_of_its_own, forget, owners, sandbox, stuck, wait


class Observed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addresses = sandbox.add_hosts(["pod", "other"])
        for name in cls.addresses:
            sandbox.shell(f"ip route add default via {sandbox.HUB}", name)
        sandbox.shell("ip address add 2001:db8:1::1/64 dev hub nodad")
        for number, name in enumerate(cls.addresses, start=2):
            sandbox.shell(f"ip address add 2001:db8:1::{number}/64 dev eth0 nodad; ip route add default via 2001:db8:1::1", name)
        sandbox.sysctl("net.ipv4.ip_forward", 1)
        sandbox.sysctl("net.ipv6.conf.all.forwarding", 1)
        sandbox.shell(
            "ip route add 198.51.100.0/24 via 192.0.2.1; ip route add 2001:db8:1::/64 via 2001:db8::1", "peer"
        )
        enter_a_machine_of_its_own()

    def setUp(self):
        self.scene = contextlib.ExitStack()
        self.addCleanup(self.scene.close)
        # Each pod has a process that stays, as a pause container is.
        for name in self.addresses:
            self.scene.enter_context(sandbox.running(["sleep", "600"], where=name))
        self.addCleanup(sandbox.shell, "iptables -F; iptables -t nat -F; iptables -t raw -F; ip6tables -F; conntrack -F 2>/dev/null || true")

        # What another test left stuck is gone.
        for name in self.addresses:
            self.addCleanup(sandbox.shell, "ss -K state fin-wait-1 >/dev/null || true", name)

    def rules(self, script):
        sandbox.shell(script)

    def predicted_and_found(self, fate, cause, *, to=sandbox.PEER, address="0.0.0.0"):
        """NUMBER idle connections of the pod's lose their entries: predicted by count, and found by count once closed."""
        self.scene.enter_context(sandbox.peer_listening(PORT, address=address))
        self.scene.enter_context(sandbox.exporter(*FLAGS))
        process = self.scene.enter_context(sandbox.connections(NUMBER, PORT, where="pod", to=to))
        wait("connections with their entries", lambda s: s.get('finwait_tcp_sockets{family="%s",state="established"}' % ("ipv6" if ":" in to else "ipv4"), 0) >= NUMBER)
        time.sleep(3)  # seen with their entries at least once
        self.assertEqual(at_risk(sandbox.metrics(), fate), 0)
        forget()
        wait(f"{NUMBER} at risk of {fate}", lambda s: at_risk(s, fate) == NUMBER)
        # No cgroup tells whose it is: then it is its first process's.
        self.assertEqual(owners(sandbox.metrics(), "owner_at_risk_sockets").get(("process", "sleep")), NUMBER)
        report = check()
        self.assertEqual(report["other_network_namespaces"]["unseen"], 0, report["other_network_namespaces"])
        process.kill()
        wait(f"{NUMBER} stuck by {cause}", lambda s: stuck(s, cause) == NUMBER)
        series = sandbox.metrics()
        self.assertEqual(series['finwait_risk_stage{stage="failing"}'], 1)
        self.assertEqual(sum(owners(series, "owner_stuck_sockets").values()), NUMBER)
        self.assertEqual(int(sandbox.shell("ss -Htn state fin-wait-1 | wc -l", "pod")), NUMBER)
        return series

    def test_one_look_knows_nat_by_its_rules(self):
        """Nobody watched: that the connections were translated is known by the nat rules alone."""
        sandbox.shell("ip route del 198.51.100.0/24", "peer")
        self.addCleanup(sandbox.shell, "ip route add 198.51.100.0/24 via 192.0.2.1", "peer")
        self.rules("iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -o veth0 -j MASQUERADE")
        self.scene.enter_context(sandbox.peer_listening(PORT))
        process = self.scene.enter_context(sandbox.connections(NUMBER, PORT, where="pod"))
        forget()
        report = check()
        self.assertEqual(report["live"]["at_risk"]["nat_lost"], NUMBER, report["live"])
        self.assertEqual(report["verdict"]["stage"], "exposed")
        process.kill()
        sandbox.wait_for("them stuck", lambda: check()["stuck"]["by_cause"]["nat_lost"]["now"] == NUMBER)
        self.assertEqual(check()["verdict"]["stage"], "failing")

    def test_a_container_behind_masquerade(self):
        # A peer beyond NAT has no way back to a private address: its RST would end what is stuck.
        sandbox.shell("ip route del 198.51.100.0/24", "peer")
        self.addCleanup(sandbox.shell, "ip route add 198.51.100.0/24 via 192.0.2.1", "peer")
        self.rules("iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -o veth0 -j MASQUERADE")
        self.predicted_and_found("nat_lost", "nat_lost")

    def test_a_forward_rule_that_drops_invalid(self):
        self.rules("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.predicted_and_found("fin_dropped", "forward_drop")

    def test_both(self):
        self.rules(
            "iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -o veth0 -j MASQUERADE;"
            "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP"
        )
        self.predicted_and_found("fin_dropped", "forward_drop")

    def test_ipv6(self):
        self.rules("ip6tables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.predicted_and_found("fin_dropped", "forward_drop", to=sandbox.PEER6, address="::")

    def test_connections_that_never_had_an_entry_are_not_lost(self):
        self.rules(
            "iptables -t raw -A PREROUTING -s 198.51.100.0/24 -j NOTRACK; iptables -t raw -A PREROUTING -d 198.51.100.0/24 -j NOTRACK;"
            "iptables -A INPUT -m conntrack --ctstate NEW -j ACCEPT"
        )
        self.scene.enter_context(sandbox.peer_listening(PORT))
        self.scene.enter_context(sandbox.exporter(*FLAGS))
        self.scene.enter_context(sandbox.connections(NUMBER, PORT, where="pod"))
        wait("connections", lambda s: s.get('finwait_tcp_sockets{family="ipv4",state="established"}', 0) >= NUMBER)
        time.sleep(3)
        series = sandbox.metrics()
        for name, value in series.items():
            if name.startswith("finwait_tcp_at_risk_sockets{"):
                self.assertEqual(value, 0, name)

    def test_the_hosts_entries_tell_how_long_a_pod_has_been_silent(self):
        timeout = "net.netfilter.nf_conntrack_tcp_timeout_established"
        self.addCleanup(sandbox.sysctl, timeout, sandbox.shell(f"sysctl -n {timeout}").strip())
        sandbox.sysctl(timeout, 85700)
        self.rules("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.scene.enter_context(sandbox.peer_listening(PORT))
        self.scene.enter_context(sandbox.exporter(*FLAGS))
        self.scene.enter_context(sandbox.connections(NUMBER, PORT, where="pod"))
        wait("connections that tell", lambda s: s.get("finwait_tcp_idle_seconds_count", 0) >= NUMBER)
        self.assertEqual(sandbox.metrics()['finwait_tcp_outlived_sockets{timeout="60"}'], 0)
        # As after 700 s of silence: that much less remains of each entry than a packet would give it.
        sandbox.sysctl(timeout, 86400)
        wait("silence of more than 600 s", lambda s: s.get('finwait_tcp_outlived_sockets{timeout="600"}') == NUMBER)
        self.assertEqual(sandbox.metrics()['finwait_tcp_outlived_sockets{timeout="900"}'], 0)
        silent = [one for one in check()["idle"]["services"] if one["port"] == PORT]
        self.assertEqual([(one["at_peer"], one["sockets"], one["owner"]["name"]) for one in silent], [(True, NUMBER, "sleep")])

    def test_a_pod_that_is_killed_whole_is_watched_to_its_end(self):
        self.rules("iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.scene.enter_context(sandbox.peer_listening(PORT))
        self.scene.enter_context(sandbox.exporter(*FLAGS))
        # A namespace of its own, held by its processes alone, as a runtime's is once the mount is gone.
        sandbox.shell(
            """ip netns add brief; ip link add hub9 type veth peer name eth0 netns brief; ip link set hub9 master hub up
            nsenter --net=/run/netns/brief sh -ec 'ip link set lo up; ip address add 198.51.100.99/24 dev eth0
            ip link set eth0 up; ip route add default via 198.51.100.1'"""
        )
        process = self.scene.enter_context(sandbox.connections(NUMBER, PORT, where="brief"))
        sandbox.shell("umount /run/netns/brief; rm /run/netns/brief")
        wait("its connections", lambda s: s.get('finwait_tcp_sockets{family="ipv4",state="established"}', 0) >= NUMBER)
        time.sleep(3)
        forget()
        wait("them at risk", lambda s: at_risk(s, "fin_dropped") == NUMBER)
        process.kill()
        wait("them stuck", lambda s: stuck(s, "forward_drop") == NUMBER)
        # The host lets its end close: the sockets go, and the namespace with them.
        self.rules("iptables -F FORWARD")
        wait("their end", lambda s: stuck(s, "forward_drop") == 0, 60)
        sandbox.wait_for("the end of the namespace", lambda: "hub9" not in sandbox.shell("ip -o link"), 20)

    def test_it_takes_no_capability_more_than_before(self):
        self.scene.enter_context(sandbox.exporter(*FLAGS))
        capabilities = {}
        for process in filter(str.isdigit, os.listdir("/proc")):
            status = pathlib.Path(f"/proc/{process}/status").read_text()
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            if fields["Name"].startswith("finwait_") and not fields["State"].startswith("Z"):
                capabilities[fields["Name"]] = (int(fields["CapEff"], 16), int(fields["CapPrm"], 16))
        net_admin = 1 << 12
        self.assertEqual(capabilities, {"finwait_exporte": (0, 0), "finwait_reader": (net_admin, net_admin)})
        wait("namespaces", lambda s: s.get('finwait_network_namespaces{coverage="observed"}') == 2)
        self.assertEqual(sandbox.metrics()['finwait_network_namespaces{coverage="own"}'], 1)

    def test_with_none_they_are_counted_and_not_read(self):
        self.scene.enter_context(sandbox.exporter("--namespaces=none", *FLAGS[1:]))
        wait("namespaces", lambda s: s.get('finwait_network_namespaces{coverage="unseen"}') == 2)
        self.assertEqual(sandbox.metrics()['finwait_network_namespaces{coverage="observed"}'], 0)


if __name__ == "__main__":
    sandbox.enter_or_skip()
    unittest.main()
