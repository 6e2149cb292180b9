"""What the attacks share: the program under attack, and how a file of attacks is run and told."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import sandbox  # noqa: E402  (the path comes first)

PORT = 10061
PATIENCE = 30.0
# For attacks on the server alone: next to nothing is collected meanwhile.
FEW_COLLECTORS = [
    f"--no-collector.{name}"
    for name in (
        "conntrack_stats",
        "conntrack_table",
        "conntrack_events",
        "tracking",
        "sockets",
        "firewall",
        "network_namespaces",
    )
]
FLAGS = [f"--web.listen-address=127.0.0.1:{PORT}"]


class Failed(Exception):
    """What was not as it should be."""


def need(condition, what):
    if not condition:
        raise Failed(what)


def fetch(path, port=PORT):
    """(status, text) of a GET; (0, why) where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def status(path="/healthz", port=PORT):
    return fetch(path, port)[0]


def eventually(condition, patience=PATIENCE):
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Program:
    """The program, started by a command; what it logs is in a file unless `stderr` is given."""

    def __init__(self, folder, flags=(), prefix=(), stderr=None, **how):
        self.log_path = pathlib.Path(folder) / f"log{time.monotonic_ns()}"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*prefix, str(sandbox.PROGRAM), *FLAGS, *flags], stderr=log if stderr is None else stderr, **how
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def serves(self):
        return eventually(lambda: self.process.poll() is not None or status() == 200) and self.process.poll() is None

    def pids(self):
        """Of all processes that it consists of."""
        found = [self.process.pid]
        for pid in found:
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        return found

    def most_memory_mib(self):
        """The most that one of its processes has held at any time."""
        texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return max(int(line.split()[1]) / 1024 for text in texts for line in text.splitlines() if line.startswith("VmHWM:"))

    def ends_well(self):
        self.process.terminate()
        return self.process.wait(PATIENCE) == 0


def run(tests, only=""):
    """Plays the attacks whose name has that text, in a network of the lab; exits with 1 where one was not held."""
    sandbox.enter_or_skip()
    failures = 0
    played = 0
    for test in tests:
        if only not in test.__name__:
            continue
        played += 1
        name = test.__name__.replace("_", " ")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            try:
                test(folder)
                print(f"ok      {name}", flush=True)
            except (Failed, subprocess.TimeoutExpired) as failure:
                failures += 1
                print(f"FAILED  {name}: {failure}", flush=True)
    if not played:
        print(f"no attack has {only!r} in its name")
    sys.exit(0 if played and not failures else 1)
