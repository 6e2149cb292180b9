#!/usr/bin/env python3
"""Holds the idle time that the program tells against a router that really forgets.

  tools/prove_idle.py PROGRAM [CONNECTIONS] [SEED]

A client, a router and a server, each in a network namespace of its own; the router tracks connections with a timeout of
60 s, takes up none half-way (tcp_loose = 0) and drops INVALID. Connections of several kinds, chosen at random. After 95 s
the program tells who has been silent for longer than 60 s; then each connection sends a byte: it is lost if that does not
arrive. The same is played again with the timeout that the program has called safe, under which none may be lost. Prints
a table in Markdown. Exits with 0 if the numbers are the same, by kind. Needs root and three minutes and a half.
"""
import contextlib
import ctypes
import json
import os
import random
import re
import resource
import socket
import subprocess
import sys
import time

TIMEOUT = 60
PORTS = {
    "idle": 5432,
    "talks every 10 to 50 s": 5433,
    "keepalive, 20 or 40 s": 5434,
    "the same, interval 75 s": 5435,  # TCP_KEEPINTVL's default, for which each probe after the first waits
    "keepalive, 100 s": 5436,
}
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


class Inside:
    """Makes sockets of this thread in a named network namespace."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.own = os.open("/proc/self/ns/net", os.O_RDONLY)
        with open(f"/run/netns/{self.name}") as there:
            if LIBC.setns(there.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, *_):
        LIBC.setns(self.own, 0)
        os.close(self.own)


def build(timeout, client, router, server):
    for name in (client, router, server):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    for end, net, device in ((client, "192.0.2", "left"), (server, "198.51.100", "right")):
        run("ip", "-n", end, "link", "add", "eth0", "type", "veth", "peer", "name", device, "netns", router)
        run("ip", "-n", end, "addr", "add", f"{net}.2/24", "dev", "eth0")
        run("ip", "-n", router, "addr", "add", f"{net}.1/24", "dev", device)
        run("ip", "-n", end, "link", "set", "eth0", "up")
        run("ip", "-n", router, "link", "set", device, "up")
        run("ip", "-n", end, "route", "add", "default", "via", f"{net}.1")
    rules = ("table inet t { chain f { type filter hook forward priority 0; ct state invalid drop; ct state new,established "
             "accept; }; }")
    run("ip", "netns", "exec", router, "nft", "-f", "-", input=rules)
    # The program reads sockets with their entries: the client tracks, too, and forgets nothing.
    run("ip", "netns", "exec", client, "nft", "-f", "-", input="table inet t { chain o { type filter hook output priority 0; "
        "ct state new accept; }; }")
    run("ip", "netns", "exec", router, "sh", "-c",
        f"echo 1 > /proc/sys/net/ipv4/ip_forward; cd /proc/sys/net/netfilter; echo {timeout} > "
        "nf_conntrack_tcp_timeout_established; echo 0 > nf_conntrack_tcp_loose")


def has_arrived(connection):
    try:
        return len(connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)) > 0
    except BlockingIOError:
        return False


def keep_alive(connection, kind, chance):
    """As `kind` says, if it does."""
    if kind == "keepalive, 100 s":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100)
    elif kind in ("keepalive, 20 or 40 s", "the same, interval 75 s"):
        seconds = chance.choice((20, 40))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        interval = 75 if "interval" in kind else seconds
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    else:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def play(program, count, seed, timeout, client, router, server):
    """What the program tells, and how many of each kind there were and were lost."""
    chance = random.Random(seed)
    build(timeout, client, router, server)
    kinds = list(PORTS)
    with Inside(server):
        listeners = {kind: socket.create_server(("198.51.100.2", port), backlog=4096) for kind, port in PORTS.items()}
    connections = []
    for _ in range(count):
        kind = chance.choice(kinds)
        with Inside(client):
            here = socket.create_connection(("198.51.100.2", PORTS[kind]), timeout=5)
        there, _ = listeners[kind].accept()
        keep_alive(here, kind, chance)
        connections.append([kind, here, there, chance.uniform(10, 50)])
    start = time.monotonic()
    speaks = [start + pause for *_, pause in connections]
    while time.monotonic() < start + 95:
        for i, (kind, here, there, pause) in enumerate(connections):
            if kind.startswith("talks") and time.monotonic() >= speaks[i]:
                here.send(b"x")
                there.recv(1)
                speaks[i] += pause
        time.sleep(0.2)
    told = subprocess.run(["ip", "netns", "exec", client, program, "check", "--format=json",
                           f"--path.timeout=198.51.100.0/24={timeout}s"], capture_output=True, text=True)
    report = json.loads(told.stdout)
    lost = dict.fromkeys(kinds, 0)
    for _, here, _, _ in connections:
        here.send(b"y")
    time.sleep(3)
    for kind, _, there, _ in connections:
        lost[kind] += 0 if has_arrived(there) else 1
    return report, {kind: sum(one == kind for one, *_ in connections) for kind in kinds}, lost


def safe_timeout(report):
    texts = [one["text"] for one in report["explanation"]["what_to_do"] if one["id"] == "safe_timeout"]
    return int(re.match(r"A timeout of (\d+) s would have forgotten none", texts[0])[1])


def prove(program, count, seed, namespaces):
    with namespaces() as names:
        report, opened, lost = play(program, count, seed, TIMEOUT, *names)
    idle = report["idle"]
    predicted = {
        kind: sum(one["outlived_without_keepalive"][str(TIMEOUT)] for one in idle["services"] if one["port"] == port)
        for kind, port in PORTS.items()
    }
    safe = safe_timeout(report)
    with namespaces() as names:
        again, _, lost_again = play(program, count, seed, safe, *names)
    print(f"| connections | opened | predicted lost at {TIMEOUT} s | lost at {TIMEOUT} s | lost at the advised {safe} s |")
    print("|---|---|---|---|---|")
    for kind in PORTS:
        print(f"| {kind} | {opened[kind]} | {predicted[kind]} | {lost[kind]} | {lost_again[kind]} |")
    right = predicted == lost and idle["outlived"][str(TIMEOUT)] == idle["paths"][0]["expiring"] == sum(lost.values())
    return right and not any(lost_again.values()) and again["idle"]["paths"][0]["expiring"] == 0


@contextlib.contextmanager
def fresh_namespaces():
    names = [f"idle-{part}-{os.getpid()}" for part in ("client", "router", "server")]
    try:
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # both ends of each connection are held here
    sys.exit(0 if prove(program, count, seed, fresh_namespaces) else 1)


if __name__ == "__main__":
    main()
