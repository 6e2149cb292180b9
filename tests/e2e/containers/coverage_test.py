"""How well other network namespaces are seen, as finwait_network_namespaces and `check` say it: in each mode, where procfs
hides processes, and where it is another PID namespace's."""

import contextlib
import os
import pathlib
import platform
import subprocess
import sys
import time
import unittest

import churn
from machine import FLAGS, check, enter_a_machine_of_its_own, sandbox, wait

MODES = {"none": "unseen", "observe": "observed", "enter": "entered"}
OTHER_PROCFS = "/run/tmp/other"
SYS_EXIT = {"x86_64": 60, "aarch64": 93}  # of one thread


def seen(series):
    return {how: series.get(f'finwait_network_namespaces{{coverage="{how}"}}') for how in ("own", *churn.COVERAGES)}


def expected(number, how=None):
    return {"own": 1, **{one: number if one == how else 0 for one in churn.COVERAGES}}


def cannot_see(*flags, before=()):
    """What `check` says that it cannot see, and its numbers."""
    report = check(*flags, before=before)
    return " ".join(one["text"] for one in report["explanation"]["cannot_see"]), report["other_network_namespaces"]


def as_nobody(option, groups="--clear-groups"):
    """What starts a program as a service of its own user, with a procfs so mounted."""
    rights = ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
    # A change of user forgets with whom a process is to end.
    user = ["setpriv", "--reuid=65534", "--regid=65534", groups, *rights, "setpriv", "--pdeathsig", "KILL"]
    return ["unshare", "--mount", "sh", "-ec", f'mount -t proc -o {option} proc /proc; exec "$@"', "sh", *user]


class Coverage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addresses = sandbox.add_hosts(["pod", "other"])
        enter_a_machine_of_its_own()

    def setUp(self):
        self.scene = contextlib.ExitStack()
        self.addCleanup(self.scene.close)
        for name in self.addresses:
            self.scene.enter_context(sandbox.running(["sleep", "600"], where=name))

    def exporter(self, depth, **options):
        self.scene.enter_context(sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:], **options))

    def test_each_mode_counts_each_namespace_once(self):
        for depth, how in MODES.items():
            with self.subTest(depth), sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]):
                wait(f"two {how}", lambda s: seen(s) == expected(2, how))
                with sandbox.running(["sleep", "600"], where="peer"):  # a third one; this process is another machine's
                    time.sleep(3)
                    self.assertEqual(seen(sandbox.metrics()), expected(2, how))
                with sandbox.running(["unshare", "--net", "sleep", "600"]):
                    wait(f"three {how}", lambda s: seen(s) == expected(3, how))
                wait(f"two {how} again", lambda s: seen(s) == expected(2, how))

    def test_one_that_a_mount_alone_holds_is_not_counted(self):
        sandbox.shell("ip netns add empty")
        self.addCleanup(sandbox.shell, "ip netns delete empty")
        for depth, how in MODES.items():
            with self.subTest(depth), sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]):
                wait(f"two {how}", lambda s: seen(s) == expected(2, how))
                time.sleep(3)
                self.assertEqual(seen(sandbox.metrics()), expected(2, how))
                with sandbox.running(["sleep", "600"], where="empty"):
                    wait(f"three {how}", lambda s: seen(s) == expected(3, how))
                wait("its last process gone", lambda s: seen(s) == expected(2, how))

    def test_one_whose_process_has_lost_its_first_thread_is_seen(self):
        """Its /proc/PID/net is gone with that thread; the others, which live on, hold the namespace and its sockets."""
        code = (
            "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start();"
            f"ctypes.CDLL(None).syscall({SYS_EXIT[platform.machine()]}, 0)"
        )
        self.scene.enter_context(sandbox.running(["unshare", "--net", sys.executable, "-c", code]))
        sandbox.wait_for("its end", lambda: "Z" in sandbox.shell("ps -eo comm=,stat= | grep python3"))
        for depth in ("observe", "enter"):
            with self.subTest(depth), sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]):
                wait(f"three {MODES[depth]}", lambda s: seen(s) == expected(3, MODES[depth]))

    def test_hidden_processes_are_said(self):
        self.exporter("observe", before=as_nobody("hidepid=2"))
        time.sleep(3)
        self.assertEqual(seen(sandbox.metrics()), expected(0))
        said, numbers = cannot_see(before=as_nobody("hidepid=2"))
        self.assertIn("This procfs hides the processes of other users (hidepid=, ProtectProc=), so whether there are other", said)
        self.assertFalse(numbers["complete"])

    def test_processes_that_may_not_be_asked_are_counted(self):
        said, numbers = cannot_see(before=as_nobody("hidepid=1"))
        self.assertGreaterEqual(numbers["unreadable_processes"], 2, numbers)
        self.assertIn("may not be read (hidepid=, a security module), so whether there are other network namespaces is not known", said)

    def test_who_is_in_the_group_of_hidepid_sees_all(self):
        """Group 0 without gid=: as root's is, and the supplementary group that lets a service see legacy tables."""
        _, numbers = cannot_see(before=as_nobody("hidepid=2", "--groups=0"))
        self.assertEqual((numbers["observed"], numbers["unreadable_processes"]), (2, 0), numbers)

    def test_a_procfs_of_another_pid_namespace_is_said(self):
        """One that this process is in by another number, as a host's in a container without hostPID, shows them all."""
        apart = ["unshare", "--pid", "--fork", "--kill-child"]
        os.mkdir(OTHER_PROCFS)
        self.addCleanup(os.rmdir, OTHER_PROCFS)
        script = f'mount --bind /proc {OTHER_PROCFS}; mount -t proc proc /proc; exec "$@"'
        above = ["unshare", "--mount", *apart, "sh", "-ec", script, "sh"]
        _, numbers = cannot_see(f"--path.procfs={OTHER_PROCFS}", before=above)
        self.assertEqual(numbers["observed"], 2, numbers)
        # One that it is not in: of all that lives there, nothing can be told apart.
        script = f'{apart_in_background()}; exec "$@"'
        beside = ["unshare", "--mount", "sh", "-ec", script, "sh"]
        done = subprocess.run(
            sandbox.on_host(None, [*beside, sandbox.PROGRAM, "check", f"--path.procfs={OTHER_PROCFS}"]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("is the procfs of a PID namespace in which this process is not: mount there the host's", done.stdout + done.stderr)


def apart_in_background():
    """Shell: mounts the procfs of a PID namespace at OTHER_PROCFS that whoever comes after is not in."""
    ready = f"{OTHER_PROCFS}/1/comm"
    return (
        f"unshare --pid --fork --kill-child sh -c 'mount -t proc proc {OTHER_PROCFS}; exec sleep 60' >/dev/null 2>&1 & "
        f"until [ -e {ready} ]; do sleep 0.1; done"
    )


if __name__ == "__main__":
    sandbox.enter_or_skip()
    unittest.main()
