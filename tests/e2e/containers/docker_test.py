"""A real Docker with its default rules, started in networks of the test's own: a container's idle connections outlive the
host's entries. The exporter foretells by count what becomes of them, then finds them stuck, and names the container."""

import collections
import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time
import unittest

from machine import FLAGS, NUMBER, PORT, at_risk, enter_a_machine_of_its_own, forget, owners, sandbox, stuck, wait

SOCKET = "unix:///run/docker.sock"


def docker(*arguments, **options):
    command = sandbox.on_host(None, ["docker", f"--host={SOCKET}", *arguments])
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()


def image():
    """A tar of busybox and the libraries that it wants."""
    busybox = shutil.which("busybox")
    lines = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout.splitlines()
    libraries = {word for line in lines for word in line.split() if word.startswith("/")}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path in [busybox, *sorted(libraries)]:
            tar.add(os.path.realpath(path), arcname="bin/busybox" if path == busybox else path.lstrip("/"))
        for name in ("sh", "nc", "sleep", "killall"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return content.getvalue()


class RealDocker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scene = contextlib.ExitStack()
        cls.addClassCleanup(scene.close)
        sandbox.shell("mkdir -p /var/lib/docker; mount -t tmpfs tmpfs /var/lib/docker")
        enter_a_machine_of_its_own()
        log = "/run/tmp/dockerd.log"
        daemon = ["dockerd", f"--host={SOCKET}", "--storage-driver=vfs", "--exec-root=/run/docker", "--pidfile=/run/docker.pid"]
        scene.enter_context(sandbox.running(daemon, log=log))
        try:
            sandbox.wait_for("answer of Docker's", lambda: cls.answers(), 60)
        except RuntimeError as error:
            raise unittest.SkipTest(f"{error}: {pathlib.Path(log).read_text()[-2000:]}") from error
        docker("import", "-", "box", input=image())
        scene.enter_context(sandbox.peer_listening(PORT))
        cls.exporter = scene.enter_context(sandbox.exporter(*FLAGS))

    @staticmethod
    def answers():
        try:
            return docker("info")
        except RuntimeError:
            return None

    def run_container(self, name):
        """A container with NUMBER idle connections. What another test left stuck may still be there: this has a name of
        its own."""
        sandbox.shell("conntrack -F 2>/dev/null || true")
        script = f"for i in $(seq {NUMBER}); do sleep 600 | nc {sandbox.PEER} {PORT} & done; sleep 600"
        docker("run", "--detach", "--name", name, "box", "/bin/sh", "-c", script.replace("$(seq", "$(busybox seq"))
        self.addCleanup(docker, "rm", "--force", name)
        wait("connections", lambda s: s.get('finwait_tcp_sockets{family="ipv4",state="established"}', 0) >= NUMBER)
        time.sleep(3)  # seen with their entries at least once

    def stuck_of(self, name):
        """How many sockets of the container are stuck, by cause."""
        report = json.loads(sandbox.get(f"{self.exporter}/api/v1/report")[1])
        sockets = report["stuck"]["sockets"]
        return collections.Counter(one["cause"] for one in sockets if one["owner"] and one["owner"]["name"] == name)

    def close_and_find(self, name, fate, cause):
        self.run_container(name)
        forget()
        wait(f"{NUMBER} at risk of {fate}", lambda s: at_risk(s, fate) == NUMBER)
        self.assertEqual(owners(sandbox.metrics(), "owner_at_risk_sockets").get(("container", name)), NUMBER)
        docker("exec", name, "killall", "-9", "nc")
        sandbox.wait_for(f"{NUMBER} stuck by {cause}", lambda: self.stuck_of(name) == {cause: NUMBER})
        series = sandbox.metrics()
        self.assertGreaterEqual(stuck(series, cause), NUMBER)
        self.assertEqual(series['finwait_risk_stage{stage="failing"}'], 1)
        self.assertEqual(owners(series, "owner_stuck_sockets").get(("container", name)), NUMBER)
        command = sandbox.on_host(None, [sandbox.PROGRAM, "check"])
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        self.assertIn(f"container {name}: ", text)

    def test_masquerade_alone_makes_the_failure(self):
        self.close_and_find("web", "nat_lost", "nat_lost")

    def test_a_forward_rule_that_drops_invalid(self):
        sandbox.shell("iptables -I FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.addCleanup(sandbox.shell, "iptables -D FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.close_and_find("database", "fin_dropped", "forward_drop")


if __name__ == "__main__":
    missing = [tool for tool in ("dockerd", "docker", "containerd", "runc", "busybox") if shutil.which(tool) is None]
    if missing:
        print(f"{', '.join(missing)}: not installed (Debian's docker.io and busybox)", file=sys.stderr)
        sys.exit(sandbox.SKIPPED)
    sandbox.enter_or_skip()
    unittest.main()
