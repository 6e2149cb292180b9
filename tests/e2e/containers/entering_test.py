"""Who enters other network namespaces: with --namespaces=observe nobody, by the kernel's own record of system calls."""

import pathlib
import re
import shutil
import sys
import unittest

from machine import FLAGS, PORT, enter_a_machine_of_its_own, sandbox, wait

TRACE = "/run/tmp/calls"
ENTRANCES = re.compile(r"\b(?:setns|unshare)\(")


class Entering(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sandbox.add_hosts(["pod"])
        sandbox.shell(f"ip route add default via {sandbox.HUB}", "pod")
        sandbox.shell("ip route add 198.51.100.0/24 via 192.0.2.1", "peer")
        sandbox.sysctl("net.ipv4.ip_forward", 1)
        enter_a_machine_of_its_own()

    def calls(self, depth, coverage):
        """What of setns() and unshare() the program called, from its start to its end, while it read the pod's connection."""
        tracer = ["strace", "--follow-forks", "--daemonize", "--trace=execve,setns,unshare", f"--output={TRACE}"]
        established = 'finwait_tcp_sockets{family="ipv4",state="established"}'
        with sandbox.peer_listening(PORT), sandbox.connections(1, PORT, where="pod"):
            with sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:], before=tracer):
                wait("the pod", lambda s: s.get(f'finwait_network_namespaces{{coverage="{coverage}"}}', 0) >= 1)
                wait("its connection", lambda s: s.get(established, 0) >= 1)
        sandbox.wait_for("end of the trace", lambda: pathlib.Path(TRACE).read_text().endswith("+++\n"))
        trace = pathlib.Path(TRACE).read_text()
        self.assertIn("execve(", trace, "the program's own start")
        return ENTRANCES.findall(trace)

    def test_to_observe_nobody_enters(self):
        self.assertEqual(self.calls("observe", "observed"), [])

    def test_to_enter_somebody_does(self):
        self.assertIn("setns(", self.calls("enter", "entered"))


if __name__ == "__main__":
    if shutil.which("strace") is None:
        print("strace: not installed", file=sys.stderr)
        sys.exit(sandbox.SKIPPED)
    sandbox.enter_or_skip()
    unittest.main()
