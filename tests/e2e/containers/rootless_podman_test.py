"""A real podman of an ordinary user, in a user namespace of its own: what its containers send leaves by slirp4netns, a process
of this host's. So the container's connections never have an entry in the host's table, and the host's are slirp4netns'."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from engine import answer, image
from machine import FLAGS, NUMBER, PORT, at_risk, check, enter_a_machine_of_its_own, forget, owners, sandbox, stuck, wait

USER = 1500  # beyond what Debian gives out by itself
FLAGS_OF_PODMAN = ("--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--events-backend=none", "--runtime=runc")
RUN_FLAGS = ("--network=slirp4netns", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
INVALID_IS_DROPPED = "OUTPUT -m conntrack --ctstate INVALID -j DROP"


def make_user():
    """A user with subordinate IDs and a tun device, in this mount namespace alone."""
    sandbox.shell(
        f"""
        for name in passwd group; do
          {{ cat /etc/$name; echo 'finwait:x:{USER}:{USER}::/run/home:/bin/sh'; }} > /run/$name
          mount --bind /run/$name /etc/$name
        done
        echo 'finwait:200000:65536' > /run/subordinate
        for name in subuid subgid; do mount --bind /run/subordinate /etc/$name; done
        mkdir -p /run/home /run/user/{USER}
        chown {USER}:{USER} /run/home /run/user/{USER}
        mknod /run/tun c 10 200
        chmod 666 /run/tun
        mount --bind /run/tun /dev/net/tun
        """
    )


def podman(*arguments, **options):
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    clean = ["env", "-i", "HOME=/run/home", f"XDG_RUNTIME_DIR=/run/user/{USER}", f"PATH={os.environ['PATH']}"]
    return answer([*as_user, *clean, "podman", *FLAGS_OF_PODMAN, *arguments], **options)


class RootlessPodman(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            make_user()
            enter_a_machine_of_its_own()
            podman("import", "-", "box", input=image())
            podman("run", "--rm", *RUN_FLAGS, "box", "/bin/sh", "-c", "true")
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            raise unittest.SkipTest(str(error)) from error
        scene = contextlib.ExitStack()
        cls.addClassCleanup(scene.close)
        scene.enter_context(sandbox.peer_listening(PORT))

    def run_container(self, name):
        script = f"for i in $(busybox seq {NUMBER}); do sleep 600 | nc {sandbox.PEER} {PORT} & done; sleep 600"
        podman("run", "--detach", *RUN_FLAGS, "--name", name, "box", "/bin/sh", "-c", script)
        self.addCleanup(podman, "rm", "--force", "--time=0", name)

    def exporter(self, depth):
        scene = contextlib.ExitStack()
        self.addCleanup(scene.close)
        scene.enter_context(sandbox.exporter(f"--namespaces={depth}", *FLAGS[1:]))
        established = 'finwait_tcp_sockets{family="ipv4",state="established"}'
        wait("connections of the container's and of slirp4netns'", lambda s: s.get(established, 0) >= 2 * NUMBER)

    def test_what_leaves_by_slirp4netns_is_foretold_and_found_at_the_host(self):
        sandbox.shell(f"iptables -A {INVALID_IS_DROPPED}")
        self.addCleanup(sandbox.shell, f"iptables -D {INVALID_IS_DROPPED}")
        self.run_container("web")
        self.exporter("observe")
        forget()
        series = wait(f"{NUMBER} at risk", lambda s: at_risk(s, "fin_dropped") == NUMBER and s)
        self.assertEqual(at_risk(series, "unknown"), 0)
        self.assertEqual(check()["live"]["never_tracked"], NUMBER, "the container's own, which are not at risk")
        podman("exec", "web", "killall", "-9", "nc")
        series = wait(f"{NUMBER} stuck", lambda s: stuck(s, "local_drop") == NUMBER and s)
        self.assertEqual(series['finwait_risk_stage{stage="failing"}'], 1)
        self.assertEqual(sum(owners(series, "owner_stuck_sockets").values()), NUMBER)

    def test_a_namespace_of_another_user_is_entered(self):
        self.run_container("shop")
        self.exporter("enter")
        series = wait("an entered namespace", lambda s: s.get('finwait_network_namespaces{coverage="entered"}', 0) >= 1 and s)
        self.assertEqual(series['finwait_risk_stage{stage="none"}'], 1)
        self.assertGreaterEqual(series["finwait_tcp_idle_seconds_count"], 2 * NUMBER, "told inside by sock_diag")


if __name__ == "__main__":
    tools = ("podman", "runc", "conmon", "busybox", "slirp4netns", "newuidmap")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    missing += [str(path) for path in (pathlib.Path("/etc/subuid"), pathlib.Path("/dev/net/tun")) if not path.exists()]
    if missing:
        print(f"{', '.join(missing)}: not there (Debian's podman, runc, uidmap, slirp4netns and busybox)", file=sys.stderr)
        sys.exit(sandbox.SKIPPED)
    sandbox.enter_or_skip()
    unittest.main()
