"""What a container engine's own containers show, whichever engine it is: their idle connections outlive the host's entries. The
exporter foretells by count what becomes of them, then finds them stuck, and names the container."""

import collections
import io
import json
import os
import shutil
import subprocess
import tarfile
import time

from machine import NUMBER, PORT, at_risk, check, forget, owners, sandbox, stuck, wait


def answer(command, **options):
    """What it prints, run on the host under test; RuntimeError where it fails."""
    done = subprocess.run(sandbox.on_host(None, command), capture_output=True, timeout=120, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode().strip()}")
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


class Containers:
    """The tests. A class that takes them in has `exporter`, the address of one that runs, and `engine`, which runs a command of
    the engine's."""

    RUN_FLAGS = ()

    def run_container(self, name):
        """A container with NUMBER idle connections. What another test left stuck may still be there: this has a name of
        its own."""
        sandbox.shell("conntrack -F 2>/dev/null || true")
        script = f"for i in $(seq {NUMBER}); do sleep 600 | nc {sandbox.PEER} {PORT} & done; sleep 600"
        self.engine("run", "--detach", *self.RUN_FLAGS, "--name", name, "box", "/bin/sh", "-c", script.replace("$(seq", "$(busybox seq"))
        self.addCleanup(self.engine, "rm", "--force", name)
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
        self.engine("exec", name, "killall", "-9", "nc")
        sandbox.wait_for(f"{NUMBER} stuck by {cause}", lambda: self.stuck_of(name) == {cause: NUMBER})
        series = sandbox.metrics()
        self.assertGreaterEqual(stuck(series, cause), NUMBER)
        self.assertEqual(series['finwait_risk_stage{stage="failing"}'], 1)
        self.assertEqual(owners(series, "owner_stuck_sockets").get(("container", name)), NUMBER)
        command = sandbox.on_host(None, [sandbox.PROGRAM, "check"])
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        self.assertIn(f"container {name}: ", text)

    def explain_inside(self, name):
        """What the container's own rules and the host's do to a connection, by the container's name."""
        one = next(one for one in check()["stuck"]["sockets"] if one["owner"] and one["owner"]["name"] == name)
        flags = [f"--netns={name}", one["local"], one["peer"], "--format=json"]
        command = sandbox.on_host(None, [sandbox.PROGRAM, "explain", *flags])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        return json.loads(done.stdout)

    def test_masquerade_alone_makes_the_failure(self):
        self.close_and_find("web", "nat_lost", "nat_lost")

    def test_a_forward_rule_that_drops_invalid(self):
        sandbox.shell("iptables -I FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.addCleanup(sandbox.shell, "iptables -D FORWARD -m conntrack --ctstate INVALID -j DROP")
        self.close_and_find("database", "fin_dropped", "forward_drop")
        told = self.explain_inside("database")
        self.assertEqual(told["fate"], "fin_dropped")
        self.assertEqual([hop["fin"]["verdict"] for hop in told["hops"]], ["accept", "drop"])
