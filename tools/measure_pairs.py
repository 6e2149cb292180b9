#!/usr/bin/python3
"""What `finwait_exporter pairs` takes for a large fleet: the real program asks as many simulated hosts as wanted.

    tools/measure_pairs.py [HOSTS [SOCKETS [LOST [GATEWAYS]]]]

One process serves all hosts, each below a path of its own, in the formats of exporter/pairs/. Each has SOCKETS live
halves and LOST lost ones; one lost half in ten is of a connection that another host still has. Of GATEWAYS more hosts
each tells of as many connections through its NAT as one remembers, among them every second of those pairs. Prints a row
of docs/scale.md, and fails where the program finds other pairs than were made. FINWAIT_PROGRAM names another program.
"""

import hashlib
import hmac
import http.server
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("FINWAIT_PROGRAM", str(ROOT / "build/finwait_exporter"))
KEY = b"0123456789abcdef0123456789abcdef"
# Starts the program from a process that is smaller than it: the kernel counts for a program's memory what the one had
# that started it. Prints its CPU seconds and KB.
LAUNCHER = """
import os, subprocess, sys
with open(sys.argv[1], "wb") as out:
    child = subprocess.Popen(sys.argv[2:], stdout=out)
    _, _, used = os.wait4(child.pid, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def sign(message):
    return hmac.digest(KEY, message, hashlib.sha256)[:8].hex()


def digest(end, other):
    def packed(address, port):
        return b"\4" + socket.inet_aton(address) + struct.pack(">H", port)

    return sign(b"finwait pairs 1\n" + packed(*end) + packed(*other))


def random_digest(rng):
    return f"{rng.getrandbits(64):016x}"


def gateway(passages, rng):
    """What one answers: these connections, and as many of others as it remembers (PassageMemory::kMost)."""
    others = ["".join(random_digest(rng) for _ in range(4)) for _ in range(32768 - len(passages))]
    lost = {"version": "0", "format": 2, "key": sign(b"finwait pairs key\n"), "rules": [], "lost_halves": []}
    return json.dumps({**lost, "passages": passages + others}).encode()


def make_fleet(hosts, sockets, lost, gateways):
    """{path: body} of all hosts, and {(server's path, port)} of the abandoned halves."""
    rng = random.Random(1)
    address = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(1, hosts + 1)]
    live = [[] for _ in range(hosts)]
    gone = [[] for _ in range(hosts)]
    passing = [[] for _ in range(gateways)]
    made = set()
    port = 1024

    def next_end(host):
        nonlocal port
        port = port + 1 if port < 65535 else 1024
        return (address[host], port)

    for host in range(hosts):
        for number in range(lost):
            mine = next_end(host)
            other = rng.randrange(hosts)
            theirs = (address[other], 20000 + len(live[other]))
            gone[host].append((digest(mine, theirs), digest(theirs, mine)))
            if number % 10 == 0 and other != host and len(live[other]) < sockets:
                seen = digest(theirs, mine)
                if gateways and number % 20 == 0:
                    seen = random_digest(rng)
                    passing[rng.randrange(gateways)].append("".join([*gone[host][-1], random_digest(rng), seen]))
                live[other].append((seen, theirs[1]))
                made.add((f"/h{other}", theirs[1]))
    for host in range(hosts):
        while len(live[host]) < sockets:
            live[host].append((digest(next_end(host), (address[(host + 1) % hosts], 443)), 443))
    bodies = {}
    for host in range(hosts):
        rng.shuffle(live[host])
        bodies[f"/h{host}/api/v1/pairs"] = json.dumps(
            {
                "version": "0",
                "format": 2,
                "key": sign(b"finwait pairs key\n"),
                "rules": [{"rule": {"backend": "nft", "chain": "OUTPUT"}, "text": "nft table filter, chain OUTPUT"}],
                "lost_halves": [
                    {
                        "digests": [mine],
                        "peer_digests": [theirs],
                        "lost_seconds": 600,
                        "settled_seconds": 600,
                        "cause": "local_drop",
                        "rule": 0,
                        "ongoing": False,
                        "elsewhere": False,
                    }
                    for mine, theirs in gone[host]
                ],
            }
        ).encode()
        lines = "".join(f"{one} - {number} 600 0 - e\n" for one, number in live[host])
        bodies[f"/h{host}/api/v1/pairs?of=live"] = (
            "finwait_exporter pairs live 1\n"
            + json.dumps({"owners": ["unit a.service"], "rules": []})
            + f"\nsample 2.000 own\n{lines}end {len(live[host])}\n"
        ).encode()
    for number, passages in enumerate(passing):
        bodies[f"/h{hosts + number}/api/v1/pairs"] = gateway(passages, rng)
        bodies[f"/h{hosts + number}/api/v1/pairs?of=live"] = (
            b'finwait_exporter pairs live 1\n{"owners": [], "rules": []}\nsample 2.000 own\nend 0\n'
        )
    return bodies, made


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def serve(bodies):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = bodies[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Age", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    hosts, sockets, lost, gateways = [int(word) for word in sys.argv[1:]] + [1000, 1000, 100, 0][len(sys.argv) - 1 :]
    bodies, made = make_fleet(hosts, sockets, lost, gateways)
    port = serve(bodies)
    with tempfile.TemporaryDirectory() as folder:
        key = pathlib.Path(folder, "key")
        key.write_bytes(KEY)
        targets = pathlib.Path(folder, "hosts.json")
        targets.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}/h{host}" for host in range(hosts + gateways)]}]))
        output = pathlib.Path(folder, "out")
        command = [PROGRAM, "pairs", f"--key-file={key}", f"--file_sd={targets}", "--format=json"]
        start = time.monotonic()
        launched = [sys.executable, "-c", LAUNCHER, str(output), *command]
        cpu, memory = map(float, subprocess.run(launched, capture_output=True, check=True).stdout.split())
        wall = time.monotonic() - start
        answers = json.loads(output.read_text())
    found = {("/" + half["server"].partition("/")[2], half["port"]) for half in answers["abandoned_halves"]}
    if found != made or answers["hosts_not_known"]:
        sys.exit(f"made {len(made)} pairs, found {len(found)}, of them {len(found & made)}; {answers['hosts_not_known'][:3]}")
    print("| hosts | gateways | live halves | lost halves | abandoned | wall, s | CPU, s | resident memory at most, MB |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {hosts:,} | {gateways:,} | {answers['live_halves']:,} | {answers['lost_halves']:,} | {len(made):,} | {wall:.1f} | "
        f"{cpu:.1f} | {memory / 1000:.0f} |"
    )


if __name__ == "__main__":
    main()
