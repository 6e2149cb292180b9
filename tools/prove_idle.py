#!/usr/bin/env python3
"""Holds the idle time that the program tells against a router that really forgets.

  tools/prove_idle.py PROGRAM [CONNECTIONS] [SEED] [TIMEOUT]

A client, a router and a server, each in a network namespace of its own; the router tracks connections, takes up none
half-way (tcp_loose = 0) and drops INVALID. Connections of several kinds, chosen at random, are left to themselves for
90 s; then each sends a byte, and is lost if that does not arrive. The same mix is played at the same time through
routers with three timeouts:

  120 s          `check` tells what TIMEOUT on the path and a timeout of 60 s would have forgotten, and calls 120 s safe;
                 nothing may be lost here
  60 s           one step of the ladder below: exactly what was told may be lost
  TIMEOUT        from 3 to 30 s, or 60 (the default): the same; and `check` here must tell what is lost as it is

Prints a table in Markdown. Exits with 0 if all numbers are the same, by kind. Needs root, two minutes, and a machine that
keeps the pace: says so where it did not.
"""
import contextlib
import ctypes
import json
import multiprocessing
import os
import random
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

STEP = 60
SAFE = 120
LASTS = 90
LIBC = ctypes.CDLL(None, use_errno=True)


class Kind:
    """`idle`, `interval`: of the keepalive of one end; None: off."""

    def __init__(self, name, port, speaks=False, of_peer=False, idle=(), interval=None):
        self.name, self.port, self.speaks, self.of_peer = name, port, speaks, of_peer
        self.idle, self.interval = idle, interval


def kinds_for(timeout):
    soon = (max(timeout // 3, 1), max(timeout // 2, 1))
    either = " or ".join(str(seconds) for seconds in sorted(set(soon)))
    late = timeout * 5 // 3
    return [
        Kind("idle", 5432),
        Kind(f"talks within {timeout / 2:g} s", 5433, speaks=True),
        Kind(f"keepalive, {either} s", 5434, idle=soon),
        # TCP_KEEPINTVL's default, for which each probe after the first waits.
        Kind("keepalive, 20 s, interval 75 s", 5435, idle=(20,), interval=75),
        Kind(f"keepalive, {late} s", 5436, idle=(late,)),
        Kind(f"the peer's keepalive, {either} s", 5437, of_peer=True, idle=soon),
        Kind("the peer's keepalive, 100 s", 5438, of_peer=True, idle=(100,)),
    ]


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
    """The last word, behind those that were said before."""
    try:
        return b"y" in connection.recv(65536, socket.MSG_DONTWAIT)
    except OSError:
        return False


def keep_alive(connection, idle, interval):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 127)  # whose probes are lost is there still
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def open_all(kinds, count, chance, client, server):
    """[kind, this end, the peer's end, seconds between its words]"""
    with Inside(server):
        listeners = {kind: socket.create_server(("198.51.100.2", kind.port), backlog=4096) for kind in kinds}
    connections = []
    for _ in range(count):
        kind = chance.choice(kinds)
        with Inside(client):
            here = socket.create_connection(("198.51.100.2", kind.port), timeout=10)
        there, _ = listeners[kind].accept()
        if kind.idle:
            idle = chance.choice(kind.idle)
            keep_alive(there if kind.of_peer else here, idle, kind.interval or idle)
        connections.append([kind, here, there, chance.uniform(0.2, 0.5)])
    return connections


class TooSlow(Exception):
    """The machine is: silences were longer than meant, and the numbers say nothing."""


def talk(connections, timeout, until):
    """Those who speak do, until `until()`."""
    speakers = [(here, share * timeout) for kind, here, _, share in connections if kind.speaks]
    due = [time.monotonic() + pause for _, pause in speakers]
    while not until():
        now = time.monotonic()
        for i, (here, pause) in enumerate(speakers):
            if now >= due[i] + 0.3 * timeout:
                raise TooSlow
            if now >= due[i]:
                here.send(b"x")
                due[i] = now + pause
        time.sleep(0.05)


def play(program, count, seed, timeout, remembers, names):
    """What the program tells, and how many of each kind there were and were lost, where the router `remembers`."""
    client, router, server = names
    kinds = kinds_for(timeout)
    build(remembers, *names)
    opened_at = time.monotonic()
    connections = open_all(kinds, count, random.Random(seed), client, server)
    start = time.monotonic()
    talk(connections, timeout, lambda: time.monotonic() > start + LASTS)
    with tempfile.TemporaryFile("w+") as told:
        check = subprocess.Popen(["ip", "netns", "exec", client, program, "check", "--format=json", "--namespaces=none",
                                  f"--path.timeout=198.51.100.0/24={timeout}s"], stdout=told)
        talk(connections, timeout, lambda: check.poll() is not None)
        told.seek(0)
        report = json.load(told)
    for _, here, _, _ in connections:
        with contextlib.suppress(OSError):
            here.send(b"y")
    if time.monotonic() > opened_at + SAFE - 5:
        raise TooSlow
    time.sleep(3)
    opened = {kind.port: 0 for kind in kinds}
    lost = dict(opened)
    for kind, _, there, _ in connections:
        opened[kind.port] += 1
        lost[kind.port] += 0 if has_arrived(there) else 1
    return {"report": report, "opened": opened, "lost": lost}


def play_alone(answer, program, count, seed, timeout, remembers):
    names = [f"idle-{part}-{os.getpid()}" for part in ("client", "router", "server")]
    try:
        answer.send(play(program, count, seed, timeout, remembers, names))
    except TooSlow:
        answer.send(None)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def play_all(program, count, seed, timeout):
    """By what the router remembers."""
    answers = {}
    for remembers in dict.fromkeys((SAFE, STEP, timeout)):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=play_alone, args=(theirs, program, count, seed, timeout, remembers))
        process.start()
        theirs.close()
        answers[remembers] = ours
    return {remembers: answer.recv() for remembers, answer in answers.items()}


def safe_timeout(report):
    texts = [one["text"] for one in report["explanation"]["what_to_do"] if one["id"] == "safe_timeout"]
    return int(re.match(r"A timeout of (\d+) s would have forgotten none", texts[0])[1])


def by_port(report, ports, number):
    counts = dict.fromkeys(ports, 0)
    for one in report["idle"]["services"]:
        if one["port"] in counts:
            counts[one["port"]] += number(one)
    return counts


def prove(program, count, seed, timeout):
    plays = play_all(program, count, seed, timeout)
    if None in plays.values():
        sys.exit("The machine is too slow for so many connections: they were silent for longer than meant.")
    before = plays[SAFE]["report"]
    kinds = kinds_for(timeout)
    ports = [kind.port for kind in kinds]
    told = by_port(before, ports, lambda one: one["in_force"]["forgotten"] + one["in_force"]["late_keepalive"])
    told_at_step = by_port(before, ports, lambda one: one["outlived_without_keepalive"][str(STEP)])
    lost, lost_at_step, lost_at_safe = (plays[remembers]["lost"] for remembers in (timeout, STEP, SAFE))
    as_it_is = by_port(plays[timeout]["report"], ports, lambda one: one["in_force"]["forgotten"])
    safe = safe_timeout(before)
    print(f"{count} connections, seed {seed}, {timeout} s; advised: {safe} s\n")
    print(f"| connections | opened | told of {timeout} s | told once they are | lost at {timeout} s | told of {STEP} s | "
          f"lost at {STEP} s | lost at {SAFE} s |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in kinds:
        print(f"| {kind.name} | " + " | ".join(str(column[kind.port]) for column in (
            plays[SAFE]["opened"], told, as_it_is, lost, told_at_step, lost_at_step, lost_at_safe)) + " |")
    print(flush=True)
    return told == as_it_is == lost and told_at_step == lost_at_step and safe == SAFE and not any(lost_at_safe.values())


def main():
    program = sys.argv[1]
    count, seed, timeout = (int(sys.argv[i]) if len(sys.argv) > i else preset for i, preset in ((2, 120), (3, 1), (4, 60)))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # both ends of each connection are held here
    sys.exit(0 if prove(program, count, seed, timeout) else 1)


if __name__ == "__main__":
    main()
