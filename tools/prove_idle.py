#!/usr/bin/env python3
"""Holds the idle time that the program tells against a router that really forgets.

  tools/prove_idle.py PROGRAM [CONNECTIONS] [SEED]

A client, a router and a server, each in a network namespace of its own; the router tracks connections with a timeout of
60 s, takes up none half-way (tcp_loose = 0) and drops INVALID. Connections of four kinds, chosen at random: idle, talking
every 10 to 50 s, keepalive after 20 or 40 s, keepalive after 100 s. After 95 s the program tells who has been silent for longer than
60 s; then each connection sends a byte: that one is lost is that no answer comes. Exits with 0 if the numbers are the
same, by kind. Needs root.
"""
import ctypes
import json
import os
import random
import select
import socket
import subprocess
import sys
import time

TIMEOUT = 60
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


def build(client, router, server):
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
        f"echo 1 > /proc/sys/net/ipv4/ip_forward; cd /proc/sys/net/netfilter; echo {TIMEOUT} > "
        "nf_conntrack_tcp_timeout_established; echo 0 > nf_conntrack_tcp_loose")


def prove(program, count, seed, client, router, server):
    chance = random.Random(seed)
    build(client, router, server)
    kinds = ["idle", "talking", "keepalive", "late keepalive"]
    ports = dict(zip(kinds, (5432, 5433, 5434, 5435)))
    with Inside(server):
        listeners = {kind: socket.create_server(("198.51.100.2", port), backlog=4096) for kind, port in ports.items()}
    connections = []
    for _ in range(count):
        kind = chance.choice(kinds)
        with Inside(client):
            here = socket.create_connection(("198.51.100.2", ports[kind]), timeout=5)
        there, _ = listeners[kind].accept()
        if "keepalive" in kind:
            here.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, chance.choice((20, 40)) if kind == "keepalive" else 100)
            here.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connections.append([kind, here, there, chance.uniform(10, 50)])
    start = time.monotonic()
    speaks = [start + pause for *_, pause in connections]
    while time.monotonic() < start + 95:
        for i, (kind, here, there, pause) in enumerate(connections):
            if kind == "talking" and time.monotonic() >= speaks[i]:
                here.send(b"x")
                there.recv(1)
                speaks[i] += pause
        time.sleep(0.2)
    told = subprocess.run(["ip", "netns", "exec", client, program, "check", "--format=json",
                           f"--path.timeout=198.51.100.0/24={TIMEOUT}s"], capture_output=True, text=True)
    report = json.loads(told.stdout)
    idle = report["idle"]
    by_port = {service["port"]: service for service in idle["services"]}
    lost = dict.fromkeys(kinds, 0)
    for _, here, _, _ in connections:
        here.send(b"y")
    time.sleep(3)
    for kind, _, there, _ in connections:
        lost[kind] += 0 if select.select([there], [], [], 0)[0] else 1
    predicted = {kind: by_port.get(port, {}).get("outlived_without_keepalive", {}).get(str(TIMEOUT), 0)
                 for kind, port in ports.items()}
    for kind in kinds:
        print(f"{kind:15} {sum(k == kind for k, *_ in connections):5} connections, {predicted[kind]:5} predicted lost, "
              f"{lost[kind]:5} lost, keepalive {by_port.get(ports[kind], {}).get('keepalive')}")
    print("outlived", idle["outlived"], "path", idle["paths"])
    for statement in report["explanation"]["what_to_do"]:
        print("-", statement["text"])
    return predicted == lost and idle["outlived"][str(TIMEOUT)] == sum(lost.values())


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    names = [f"idle-{part}-{os.getpid()}" for part in ("client", "router", "server")]
    try:
        sys.exit(0 if prove(program, count, seed, *names) else 1)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


if __name__ == "__main__":
    main()
