"""Network namespaces that come and go, each with a process and a connection, and what the exporter has of them afterwards."""

import math
import os
import pathlib
import subprocess
import sys
import time

from machine import sandbox

# So many processes, each in a namespace of its own with one connection over loopback, held for as long as the exporter
# takes to read it.
_HOLD = """
import ctypes, fcntl, os, socket, struct, sys, time
CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1
number, seconds = int(sys.argv[1]), float(sys.argv[2])
unshare = ctypes.CDLL(None, use_errno=True).unshare
for _ in range(number):
    if os.fork():
        continue
    if unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    listener = socket.socket()
    fcntl.ioctl(listener, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    listener.bind(("127.0.0.1", 80))
    listener.listen()
    held = [socket.create_connection(("127.0.0.1", 80)), listener.accept()]
    time.sleep(seconds)
    sys.exit()
for _ in range(number):
    if os.wait()[1]:
        sys.exit(1)
"""
COVERAGES = ("observed", "entered", "unseen")
INTERVAL = 'finwait_collector_interval_seconds{collector="network_namespaces"}'


def processes():
    """{name: folder in /proc} of the program's, by what they call themselves."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            name = path.read_text().strip()
        except OSError:
            continue
        if name.startswith("finwait_"):
            found[name] = path.parent
    return found


class State:
    """What may have grown."""

    def __init__(self):
        series = sandbox.metrics()
        self.descriptors = {name: len(os.listdir(folder / "fd")) for name, folder in processes().items()}
        self.series = len(series)
        self.memory = series["process_resident_memory_bytes"]

    def what_grew(self, since, most_memory):
        """What is more than in `since`, in words. A descriptor of a request that is just being asked is none that lasts."""
        grown = [
            f"{name} has {number} descriptors instead of {since.descriptors[name]}"
            for name, number in self.descriptors.items()
            if number > since.descriptors[name] + 2
        ]
        if self.series > since.series:
            grown.append(f"{self.series} series instead of {since.series}")
        if self.memory > since.memory + most_memory:
            grown.append(f"{self.memory / 1e6:.1f} MB instead of {since.memory / 1e6:.1f}")
        return grown

    def row(self, when):
        descriptors = " ".join(f"{name} {number}" for name, number in sorted(self.descriptors.items()))
        return f"| {when} | {descriptors} | {self.series} | {self.memory / 1e6:.1f} MB |"


HEADING = "| when | descriptors | series | memory (PSS) |\n|---|---|---|---|"


def others(series, coverages=COVERAGES):
    """How many there are; no number where the collector has nothing, as while the machine is too busy."""
    return sum(series.get(f'finwait_network_namespaces{{coverage="{how}"}}', math.nan) for how in coverages)


def make_and_remove(number, at_once, coverage, seconds=2.5):
    """Returns the most that were seen as `coverage` at a time."""
    most = 0
    for _ in range(0, number, at_once):
        hold = [sys.executable, "-S", "-c", _HOLD, str(at_once), str(seconds)]
        batch = subprocess.Popen(sandbox.on_host(None, hold))
        time.sleep(seconds * 0.9)
        most = max(most, others(sandbox.metrics(), (coverage,)))
        if batch.wait(60) != 0:
            raise RuntimeError("not all of the namespaces could be made")
    return most


def settle(at_rest):
    """Waits until none is left of what has come, and the collector's claim on the CPU budget is met again."""
    sandbox.wait_for("end of all namespaces", lambda: others(sandbox.metrics()) <= at_rest, 200)
    sandbox.wait_for("interval of a second", lambda: sandbox.metrics().get(INTERVAL, math.inf) <= 1, 120)
    time.sleep(3)
    return State()
