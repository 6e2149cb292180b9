"""The systemd unit is tight, and the program works with what the unit and the Helm chart leave it.

setpriv gives the program a user, groups and capabilities, and this test stands in for the service manager; service.sh has a
real systemd. run.sh starts this in a network namespace of its own, as root.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "packaging" / "systemd" / "finwait-exporter.service.in"
DROP_IN = ROOT / "packaging" / "systemd" / "own-namespace.conf"
ENTERING = ROOT / "packaging" / "systemd" / "enter-namespaces.conf"
PROGRAM = os.environ["FINWAIT_PROGRAM"]
ADDRESS = "127.0.0.1:10061"

ONLY_NET_ADMIN = ["--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin", "--bounding-set=-all,+net_admin"]
AS_THE_UNIT = ["--reuid=64999", "--regid=64999", "--groups=0", *ONLY_NET_ADMIN, "--no-new-privs"]
OF_THE_OPENER = "-all,+net_admin,+sys_admin,+sys_ptrace"
AS_THE_UNIT_ENTERING = [
    "--reuid=64999",
    "--regid=64999",
    "--groups=0",
    *[f"--{of}={OF_THE_OPENER}" for of in ("inh-caps", "ambient-caps", "bounding-set")],
    "--no-new-privs",
]
AS_A_POD = ["--inh-caps=-all", "--bounding-set=-all,+net_admin", "--clear-groups", "--no-new-privs"]
AS_AN_UNPRIVILEGED_POD = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
# Starts the program under a filter that answers EPERM to capset, as the unit's does.
REFUSING_CAPSET = [
    "/usr/bin/python3",
    "-c",
    """
import ctypes, os, platform, struct, sys
number = {"x86_64": 126, "aarch64": 91}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
assert ctypes.CDLL(None).prctl(22, 2, struct.pack("@HP", len(steps), ctypes.addressof(code)), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
""",
]
CANNOT_WORK_WITHOUT = {"conntrack_stats", "conntrack_table", "firewall"}
MAY_FAIL_WITHOUT = CANNOT_WORK_WITHOUT | {"conntrack_events", "network_namespaces", "tracking"}  # tracking asks only if there is a live socket


def wait_for(condition, seconds=20):
    """The first true value of `condition`, asked until it is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def get(path):
    """Status and body; status 0 where nothing answers."""
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Service:
    """The program, serving with given privileges, with this as its service manager."""

    def __init__(self, privileges, watchdog_microseconds=None, started_by=(), flags=()):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        folder.chmod(0o755)
        program = shutil.copy(PROGRAM, folder)  # the source tree may be closed to others
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)
        self.manager.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(folder / "notify")}
        if watchdog_microseconds:
            environment["WATCHDOG_USEC"] = str(watchdog_microseconds)
        self.process = subprocess.Popen(
            ["setpriv", *privileges, *started_by, program, f"--web.listen-address={ADDRESS}", *flags],
            env=environment | {"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def told(self):
        return self.manager.recv(256).decode()

    def collectors(self):
        """Whether each collector succeeds, once it is ready."""
        wait_for(lambda: get("/readyz")[0] == 200)
        pairs = re.findall(r'^finwait_collector_success\{collector="(\w+)"\} ([01])$', get("/metrics")[1], re.M)
        return {name: value == "1" for name, value in pairs}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.manager.close()
        self.folder.cleanup()


class Unit(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.unit = pathlib.Path(self.folder.name) / "finwait-exporter.service"
        self.unit.write_text(UNIT.read_text().replace("@FINWAIT_PROGRAM_PATH@", PROGRAM))

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments, self.unit], capture_output=True, text=True)

    def test_systemd_understands_every_line(self):
        result = self.analyze("verify", "--man=no")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def exposes_more_than(self, tenths):
        return self.analyze("security", "--offline=true", f"--threshold={tenths}", "--no-pager").returncode != 0

    def test_its_exposure_is_at_most_1_8(self):
        self.assertFalse(self.exposes_more_than(18))

    def test_with_the_drop_in_for_its_own_namespace_it_is_at_most_1_5(self):
        self.assertTrue(self.exposes_more_than(15))
        self.unit.write_text(self.unit.read_text() + DROP_IN.read_text())
        self.assertEqual(self.analyze("verify", "--man=no").returncode, 0)
        self.assertFalse(self.exposes_more_than(15))

    def test_the_drop_in_for_entering_is_understood(self):
        self.unit.write_text(self.unit.read_text() + ENTERING.read_text())
        result = self.analyze("verify", "--man=no")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_the_threshold_is_one_that_can_fail(self):
        self.unit.write_text(self.unit.read_text().replace("SystemCallFilter=", "#").replace("ProtectSystem=", "#"))
        self.assertTrue(self.exposes_more_than(18))

    def test_it_does_not_hide_the_conntrack_sysctls(self):
        self.assertNotIn("\nProcSubset=", self.unit.read_text())


class Privileges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # A legacy table, which only uid 0 or group 0 may know of.
        rule = ["-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"]
        subprocess.run(["iptables-legacy", *rule], check=True)

    def test_with_the_unit_s_user_group_and_capability_every_collector_works(self):
        with Service(AS_THE_UNIT) as service:
            collectors = service.collectors()
            self.assertGreaterEqual(len(collectors), 6)
            self.assertEqual([name for name, success in collectors.items() if not success], [])
            rules = 'finwait_firewall_invalid_drop_rules{backend="legacy",family="ipv4",hook="output"} 1\n'
            self.assertIn(rules, get("/metrics")[1])

    def test_where_capset_is_refused_the_server_still_has_no_capability(self):
        with Service(AS_THE_UNIT, started_by=REFUSING_CAPSET) as service:
            self.assertEqual([name for name, success in service.collectors().items() if not success], [])
            server = service.process.pid
            (reader,) = pathlib.Path(f"/proc/{server}/task/{server}/children").read_text().split()
            for process, capabilities in ((server, 0), (reader, 1 << 12)):
                status = pathlib.Path(f"/proc/{process}/status").read_text()
                for kind in ("Prm", "Eff"):
                    self.assertRegex(status, rf"Cap{kind}:\t{capabilities:016x}\n")
                self.assertRegex(status, rf"CapAmb:\t{0:016x}\n")
            self.assertIn('finwait_exporter_sandbox{layer="seccomp"} 1\n', get("/metrics")[1])

    def test_with_the_drop_in_s_capabilities_other_namespaces_are_entered(self):
        inhabitant = subprocess.Popen(["unshare", "--net", "sleep", "60"])
        try:
            with Service(AS_THE_UNIT_ENTERING, flags=["--namespaces=enter"]) as service:
                self.assertTrue(service.collectors()["network_namespaces"])
                entered = re.compile(r'^finwait_network_namespaces\{coverage="entered"\} [1-9]', re.M)
                wait_for(lambda: entered.search(get("/metrics")[1]), 40)
        finally:
            inhabitant.kill()
            inhabitant.wait()

    def test_with_a_pod_s_uid_0_and_one_capability_every_collector_works(self):
        with Service(AS_A_POD) as service:
            self.assertEqual([name for name, success in service.collectors().items() if not success], [])

    def test_without_any_capability_it_serves_what_it_can(self):
        with Service(AS_AN_UNPRIVILEGED_POD) as service:
            collectors = service.collectors()
            failing = {name for name, success in collectors.items() if not success}
            self.assertLessEqual(CANNOT_WORK_WITHOUT, failing)
            self.assertLessEqual(failing, MAY_FAIL_WITHOUT)
            self.assertEqual(get("/healthz")[0], 200)

    def test_the_service_manager_hears_ready_alive_and_stopping(self):
        with Service(AS_THE_UNIT, watchdog_microseconds=400_000) as service:
            self.assertEqual(service.told(), "READY=1")
            self.assertEqual(get("/healthz")[0], 200)  # ready means that it answers
            self.assertEqual(service.told(), "WATCHDOG=1")
            self.assertEqual(service.told(), "WATCHDOG=1")
            service.process.terminate()
            told = service.told()
            while told == "WATCHDOG=1":
                told = service.told()
            self.assertEqual(told, "STOPPING=1")
            self.assertEqual(service.process.wait(timeout=20), 0)

    def test_the_service_manager_hears_nothing_but_ready_where_it_does_not_watch(self):
        with Service(AS_THE_UNIT) as service:
            self.assertEqual(service.told(), "READY=1")
            service.process.terminate()
            self.assertEqual(service.told(), "STOPPING=1")

    def test_a_start_that_cannot_succeed_is_never_ready(self):
        with Service(AS_THE_UNIT) as first:
            self.assertEqual(first.told(), "READY=1")
            with Service(AS_THE_UNIT) as second:
                self.assertEqual(second.process.wait(timeout=20), 2)
                second.manager.settimeout(0)
                with self.assertRaises(BlockingIOError):
                    second.told()


if __name__ == "__main__":
    unittest.main()
