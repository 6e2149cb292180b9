#!/usr/bin/python3
"""Whether a namespace that comes and goes costs nothing that lasts: tools/churn_namespaces.py [NUMBER] [DEPTH] (default: 10000
enter).

Makes and removes so many network namespaces, 20 at a time, each with a process and a connection, while the exporter watches at
--namespaces=DEPTH. Prints descriptors, series and memory before (200 have gone by then) and after, and fails where descriptors or series have not
returned, or the memory has grown by more than 8 MB. Needs root."""

import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e/containers"))
from machine import enter_a_machine_of_its_own, sandbox  # noqa: E402

AT_ONCE = 20
WARMING = 200
MOST_GROWTH = 8e6
# In a namespace of its own: one connection over loopback, held for as long as the exporter takes to read it.
_HOLD = """
import socket, subprocess, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.create_server(("127.0.0.1", 80))
held = [socket.create_connection(("127.0.0.1", 80)), listener.accept()]
time.sleep(2.5)
"""


def processes():
    """Those of the program, by what they call themselves."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            name = path.read_text().strip()
        except OSError:
            continue
        if name.startswith("finwait_"):
            found[name] = path.parent
    return found


def state():
    series = sandbox.metrics()
    descriptors = {name: len(list((folder / "fd").iterdir())) for name, folder in processes().items()}
    return descriptors, len(series), series["process_resident_memory_bytes"], series


def others(series):
    return sum(series[f'finwait_network_namespaces{{coverage="{how}"}}'] for how in ("observed", "entered", "unseen"))


def show(when, descriptors, series, memory):
    print(f"| {when} | {' '.join(f'{name} {number}' for name, number in sorted(descriptors.items()))} | {series} | {memory / 1e6:.1f} MB |", flush=True)


def make_and_remove(number):
    """Returns the most that were there at a time."""
    most = 0
    for _ in range(0, number, AT_ONCE):
        hold = ["unshare", "--net", sys.executable, "-S", "-c", _HOLD]
        batch = [subprocess.Popen(sandbox.on_host(None, hold)) for _ in range(AT_ONCE)]
        time.sleep(2)
        most = max(most, others(sandbox.metrics()))
        for one in batch:
            one.wait()
    return most


def main(number, depth):
    enter_a_machine_of_its_own()
    flags = (f"--namespaces={depth}", "--sampling.interval=1s", "--sampling.cpu-budget=0.5", "--web.listen-address=127.0.0.1:10061")
    with sandbox.exporter(*flags):
        time.sleep(5)
        at_rest = others(sandbox.metrics())
        make_and_remove(WARMING)  # memory that is held from then on
        sandbox.wait_for("an end of all namespaces", lambda: others(sandbox.metrics()) <= at_rest, 200)
        descriptors, series, memory, _ = state()
        print("| when | descriptors | series | memory (PSS) |\n|---|---|---|---|")
        show("before", descriptors, series, memory)
        most = make_and_remove(number)
        sandbox.wait_for("an end of all namespaces", lambda: others(sandbox.metrics()) <= at_rest, 200)
        time.sleep(3)
        after, series_after, memory_after, _ = state()
        show(f"after {number} (at most {most:.0f} at a time)", after, series_after, memory_after)
    returned = all(after[name] <= descriptors[name] + 2 for name in descriptors) and series_after <= series
    sys.exit(0 if returned and memory_after - memory <= MOST_GROWTH and most >= AT_ONCE / 2 else 1)


if __name__ == "__main__":
    sandbox.enter()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000, sys.argv[2] if len(sys.argv) > 2 else "enter")
