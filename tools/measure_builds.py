#!/usr/bin/env python3
"""What one build of the program costs against another: CPU, memory and scrapes of all its processes.

  sudo tools/measure_builds.py BEFORE AFTER [CONNECTIONS] [SECONDS]

Both programs run at the same time in one network namespace of this script's own, so that whatever else the machine does
meets both alike. The host has so many tracked connections (default 2000) and a rule that drops INVALID. CPU and memory (PSS) are read once both are warm, over SECONDS (default 180); scrapes alternate.
"""

import gzip
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

RULES = "table inet t { chain o { type filter hook output priority 0; ct state established accept; ct state invalid counter drop; }; }"
SCRAPES = 1000
WARM = 60
TICKS = os.sysconf("SC_CLK_TCK")


def processes(first):
    """A process and all its descendants."""
    found = [first]
    for task in pathlib.Path(f"/proc/{first}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += processes(int(child))
    return found


def cpu_seconds(first):
    """User and system time of each, in the order of processes()."""
    seconds = []
    for process in processes(first):
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        seconds.append((int(fields[11]) + int(fields[12])) / TICKS)
    return seconds


def pss_megabytes(first):
    """Of each process."""
    return [
        next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")) / 1024
        for process in processes(first)
    ]


def scrape(port):
    start = time.perf_counter()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = answer.read()
    took = time.perf_counter() - start
    assert gzip.decompress(body), "an empty answer"
    return took * 1000


def connect(count):
    """Keeps both ends of so many connections."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * count + 100, 4 * count + 100))
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    ends = [listener]
    for _ in range(count):
        ends.append(socket.create_connection(listener.getsockname()))
        ends.append(listener.accept()[0])
    return ends


def measure(programs, connections, seconds):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["nft", RULES], check=True)
    ends = connect(connections)
    running = [
        subprocess.Popen([program, f"--web.listen-address=127.0.0.1:{10061 + i}"], stderr=subprocess.DEVNULL) for i, program in enumerate(programs)
    ]
    try:
        time.sleep(WARM)
        before, start = [cpu_seconds(one.pid) for one in running], time.monotonic()
        memory, scrapes = [[] for _ in running], [[] for _ in running]
        for number in range(SCRAPES):
            for i in range(len(running)) if number % 2 else reversed(range(len(running))):
                scrapes[i].append(scrape(10061 + i))
            if number % (SCRAPES // 20) == 0:
                for i, one in enumerate(running):
                    memory[i].append(pss_megabytes(one.pid))
            time.sleep(max(0, start + seconds * (number + 1) / SCRAPES - time.monotonic()))
        elapsed = time.monotonic() - start
        after = [cpu_seconds(one.pid) for one in running]
        print("| build | CPU, % of a core | of each process | PSS, MB | of each process | a scrape: median, ms | p99 |\n|---|---|---|---|---|---|---|")
        for i, name in enumerate(("before", "after")):
            shares = [100 * (b - a) / elapsed for a, b in zip(before[i], after[i])]
            medians = [statistics.median(one) for one in zip(*memory[i])]
            cuts = statistics.quantiles(scrapes[i], n=100)
            print(
                f"| {name} | {sum(shares):.2f} | {', '.join(f'{one:.2f}' for one in shares)} | {sum(medians):.1f} | "
                f"{', '.join(f'{one:.1f}' for one in medians)} | {cuts[49]:.2f} | {cuts[98]:.2f} |"
            )
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait()


def main():
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, *sys.argv[1:], "--inside"])
    arguments = [one for one in sys.argv[1:] if one != "--inside"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    measure(arguments[:2], int(arguments[2]) if len(arguments) > 2 else 2000, float(arguments[3]) if len(arguments) > 3 else 180)


if __name__ == "__main__":
    main()
