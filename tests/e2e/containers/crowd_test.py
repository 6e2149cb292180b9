"""A pod with more connections than are asked for at a time (8,192): all are told by count, whoever dropped their FIN."""

import contextlib
import resource
import time
import unittest

from machine import FLAGS, PORT, at_risk, enter_a_machine_of_its_own, forget, sandbox, stuck, wait

MANY = 9000
INVALID_IS_DROPPED = "-m conntrack --ctstate INVALID -j DROP"


class Crowd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        sandbox.add_hosts(["pod"])
        sandbox.shell(f"ip route add default via {sandbox.HUB}", "pod")
        sandbox.sysctl("net.ipv4.ip_forward", 1)
        sandbox.shell("ip route add 198.51.100.0/24 via 192.0.2.1", "peer")
        enter_a_machine_of_its_own()

    def foretold_and_found(self, depth, forgetting, cause):
        with contextlib.ExitStack() as scene:
            scene.enter_context(sandbox.peer_listening(PORT))
            scene.enter_context(sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]))
            scene.enter_context(sandbox.running(["sleep", "600"], where="pod"))
            process = scene.enter_context(sandbox.connections(MANY, PORT, where="pod"))
            established = 'finwait_tcp_sockets{family="ipv4",state="established"}'
            wait("all connections", lambda s: s.get(established, 0) >= MANY, 60)
            time.sleep(5)  # seen with their entries at least once
            forgetting()
            wait("all at risk", lambda s: at_risk(s, "fin_dropped") == MANY, 120)
            process.kill()
            wait(f"all stuck by {cause}", lambda s: stuck(s, cause) == MANY, 90)
            sandbox.shell("ss -K state fin-wait-1 >/dev/null || true", "pod")

    def test_of_which_the_host_drops_the_fins(self):
        sandbox.shell(f"iptables -A FORWARD {INVALID_IS_DROPPED}")
        self.addCleanup(sandbox.shell, "iptables -F; conntrack -F 2>/dev/null || true")
        self.foretold_and_found("observe", forget, "forward_drop")

    def test_that_drops_them_itself(self):
        sandbox.shell(f"iptables -A OUTPUT {INVALID_IS_DROPPED}", "pod")
        self.addCleanup(sandbox.shell, "iptables -F; conntrack -F 2>/dev/null || true", "pod")
        self.foretold_and_found("enter", lambda: sandbox.shell("conntrack -F 2>/dev/null || true", "pod"), "local_drop")


if __name__ == "__main__":
    sandbox.enter_or_skip()
    unittest.main()
