#!/usr/bin/python3
"""Abandoned halves in a fleet of real hosts: each a network namespace with the real exporter in it.

    tools/prove_pairs.py [HOSTS [ROUNDS]]        50 hosts and 2 rounds by default; needs root. Tests run 12 and 1

A quarter of the hosts changes the ports of its connections on the way out (masquerade), a quarter redirects its service's
port, a quarter stands behind a router that does both and runs an exporter too, a quarter has none of that; so connections
meet every pair of them. In each round every host opens connections to random others,
and then closes some: some after their entries are gone, whose FIN a rule drops, and some in order. Then `pairs` has to
find the halves that are abandoned (what the test knows, as it holds both ends), all of them and no others. The
hosts' clocks are apart as far as a namespace lets them be: exporters start at different times, and each in a time
namespace whose steady clock is off by up to a year.
"""

import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/lab"))
import sandbox  # noqa: E402  (found by the line above)

SERVICE, REDIRECTED = 5000, 5001
WEB, WEB_BEHIND = 10061, 10062  # of an exporter, and of one that is reached through a router
EACH = 4
TABLE_READ = 'finwait_collector_last_success_timestamp_seconds{collector="conntrack_table"}'

# Holds connections of one host: opens and closes by line on standard input, "open ADDRESS" and "close NUMBER".
CLIENT = """
import socket, sys
held = []
for line in sys.stdin:
    what, value = line.split()
    if what == "open":
        held.append(socket.create_connection((value, %d), 10))
        print(held[-1].getsockname()[1], flush=True)
    else:
        held[int(value)].close()
        print("closed", flush=True)
""" % SERVICE


class Host:
    def __init__(self, name, address, kind):
        self.name, self.address, self.kind = name, address, kind
        self.port = REDIRECTED if kind in ("redirects", "behind") else SERVICE
        self.target = f"{address}:{WEB_BEHIND if kind == 'behind' else WEB}"
        self.router = f"{name}r" if kind == "behind" else None
        self.client = None

    def ask(self, line):
        self.client.stdin.write((line + "\n").encode())
        self.client.stdin.flush()
        answer = self.client.stdout.readline()
        if not answer:
            raise RuntimeError(f"the client on {self.name} ended at {line}")
        return answer.decode().strip()


def set_up(host):
    rules = "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP\n"
    if host.kind == "masquerades":
        rules += f"iptables -t nat -A POSTROUTING -p tcp --dport {SERVICE} -j MASQUERADE --to-ports 50000-59999\n"
    if host.kind == "redirects":
        rules += f"iptables -t nat -A PREROUTING -p tcp --dport {SERVICE} -j REDIRECT --to-ports {REDIRECTED}\n"
    sandbox.shell(rules, host.name)


def put_behind(host, number):
    """Makes a router of the namespace on the bridge, and the host one behind it. Connections leave and come translated."""
    network = f"203.0.113.{4 * number}"
    outer, inner = f"203.0.113.{4 * number + 1}", f"203.0.113.{4 * number + 2}"
    sandbox.shell(
        f"""
        ip netns add {host.name}
        ip link add inside netns {host.router} type veth peer name eth0 netns {host.name}
        nsenter --net=/run/netns/{host.name} sh -ec '
          ip link set lo up
          ip address add {inner}/30 dev eth0
          ip link set eth0 up
          ip route add default via {outer}'
        """
    )
    sandbox.shell(
        f"""
        ip address add {outer}/30 dev inside
        ip link set inside up
        sysctl -qw net.ipv4.ip_forward=1
        iptables -t nat -A PREROUTING -i eth0 -p tcp --dport {SERVICE} -j DNAT --to-destination {inner}:{REDIRECTED}
        iptables -t nat -A PREROUTING -i eth0 -p tcp --dport {WEB_BEHIND} -j DNAT --to-destination {inner}:{WEB}
        iptables -t nat -A POSTROUTING -s {network}/30 -o eth0 -p tcp --dport {SERVICE} -j MASQUERADE --to-ports 40000-49999
        """,
        host.router,
    )


def forget(host):
    for where in filter(None, (host.name, host.router)):
        sandbox.shell("conntrack -F 2>/dev/null || true", where)


def exporter_command(key, offset):
    """The exporter, in a time namespace whose CLOCK_MONOTONIC is off; without where the kernel has none."""
    apart = ["unshare", "--time", f"--monotonic={offset}", "--boottime", str(offset), "--"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode != 0:
        apart = []
    flags = [f"--pairs.key-file={key}", "--namespaces=none", "--sampling.interval=2s", "--log.level=error"]
    return [*apart, str(sandbox.PROGRAM), *flags]


def pairs(key, hosts):
    command = [str(sandbox.PROGRAM), "pairs", f"--key-file={key}", "--format=json", *(host.target for host in hosts)]
    command += [f"{host.address}:{WEB}" for host in hosts if host.router]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def found_in(answers):
    """{(server's address, port): number} and who made them."""
    found, makers = {}, {}
    for half in answers["abandoned_halves"]:
        where = (half["server"].rpartition(":")[0], half["port"], half["closed_by"].rpartition(":")[0])
        found[where] = found.get(where, 0) + 1
        makers[where] = half["made_by"]
    return found, makers


def main():
    number, rounds = [int(word) for word in sys.argv[1:]] + [50, 2][len(sys.argv) - 1 :]
    sandbox.enter_or_skip()
    rng = random.Random(22)
    kinds = ["masquerades", "redirects", "plain", "behind"]
    names = [f"h{i}" for i in range(number)]
    behind = [name for i, name in enumerate(names) if kinds[i % 4] == "behind"]
    addresses = sandbox.add_hosts([f"{name}r" if name in behind else name for name in names])
    hosts = [Host(name, address, kinds[i % 4]) for i, (name, address) in enumerate(zip(names, addresses.values()))]
    routers = [host for host in hosts if host.router]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as scene:
        key = os.path.join(folder, "key")
        pathlib.Path(key).write_text("a key that all of them have\n")
        for place, host in enumerate(routers):
            put_behind(host, place)
            scene.enter_context(sandbox.running(exporter_command(key, 0), where=host.router))
        for host in hosts:
            set_up(host)
            scene.enter_context(sandbox.peer_listening(host.port, where=host.name))
            host.client = scene.enter_context(
                sandbox.running(
                    [sys.executable, "-c", CLIENT],
                    where=host.name,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
            offset = rng.randrange(365 * 86400)
            scene.enter_context(sandbox.running(exporter_command(key, offset), where=host.name))
        targets = [host.target for host in hosts] + [f"{router.address}:{WEB}" for router in routers]
        sandbox.wait_for(
            "answers of all exporters", lambda: all(sandbox.get(f"http://{target}/readyz")[0] == 200 for target in targets), 180
        )
        made, by, opened, open_now = {}, {}, {host.name: 0 for host in hosts}, 0
        for turn in range(rounds):
            closing = []
            for host in hosts:
                for _ in range(EACH):
                    server = rng.choice([other for other in hosts if other is not host])
                    port = host.ask(f"open {server.address}")
                    closing.append((host, server, opened[host.name], port))
                    opened[host.name] += 1
            open_now += len(closing)
            all_open = time.time()

            # NAT is remembered of what was seen while its entry was there.
            def all_seen():
                tables = [sandbox.metrics(f"http://{router.address}:{WEB}").get(TABLE_READ, 0) for router in routers]
                if min(tables, default=all_open + 2) <= all_open + 1:  # the time is that of a reading's end
                    return False
                lists = [sandbox.get(f"http://{host.target}/api/v1/pairs?of=live")[1] for host in hosts]
                halves = [line for text in lists for line in text.splitlines() if line.endswith(" e")]
                halves = [line for line in halves if line.split()[2] != "10061"]  # not of those who ask
                return len(halves) == 2 * open_now + sum(made.values())

            sandbox.wait_for("a sample of every connection", all_seen, 180)
            rng.shuffle(closing)
            half = len(closing) // 2
            lost, in_order = closing[:half], closing[half : half + half // 2]
            open_now -= len(lost) + len(in_order)
            for host, _, at, _ in in_order:
                host.ask(f"close {at}")

            def answered():
                closes = [f"ss -Htn state fin-wait-1 sport = :{port}" for _, _, _, port in in_order]
                return not any(sandbox.shell(close, host.name) for close, (host, _, _, _) in zip(closes, in_order))

            sandbox.wait_for("answer to every close", answered)
            for host in {host for host, _, _, _ in lost}:
                forget(host)
            for host, server, at, _ in lost:
                host.ask(f"close {at}")
                where = (server.address, server.port, host.address)
                made[where] = made.get(where, 0) + 1
                by[host.address] = host.target
            begin = time.monotonic()
            latest = {}

            def all_found():
                latest["answers"] = pairs(key, hosts)
                found, _ = found_in(latest["answers"])
                for where, count in found.items():
                    if count > made.get(where, 0):
                        raise RuntimeError(f"invented: {where}, {count} of {made.get(where, 0)}")
                return found == made

            try:
                sandbox.wait_for("pairs found as they were made", all_found, 240)
            except RuntimeError as missing:
                found, _ = found_in(latest["answers"])
                sys.exit(f"{missing}: {sum(found.values())} of {sum(made.values())}; unclear {latest['answers']['unclear']}")
            _, makers = found_in(latest["answers"])
            wrong = [where for where, maker in makers.items() if maker != by[where[2]]]
            if wrong:
                sys.exit(f"made by another host: {wrong[:3]}")
            print(
                f"round {turn + 1}: {number} hosts, {len(routers)} of them behind routers, {latest['answers']['live_halves']} live halves, "
                f"{sum(made.values())} abandoned halves made, all found and no other, after {time.monotonic() - begin:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
