#!/usr/bin/python3
"""Twice as much of something: twice the work, or more?

Each input that somebody else can make grow is made twice as large. What the program needs for it, in CPU time and beyond
what it needs without, may grow 2.5 times; four times would be a square, with which a few thousand rules or sockets fill a
core. Both sizes are measured in turn, again where the ratio is too large, and the least of each counts: other work on the
machine can add to CPU time and never take from it.
"""

import argparse
import base64
import collections
import contextlib
import ctypes
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import passwords
from suite import FEW_COLLECTORS, sandbox

MOST = 2.5
LEAST_CPU = 0.03  # seconds beyond the baseline: less tells nothing, and costs nobody anything
ROUNDS = 6
HOST = "grown"
PORT = 10061

# `ours`: the kernel's part does not count, because it alone is a square, and why is said there.
Input = collections.namedtuple("Input", "name size grow ours", defaults=(False,))


def shell(script):
    return sandbox.shell(script, HOST)


def feed(command, text):
    done = subprocess.run(sandbox.on_host(HOST, command), input=text, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr[:500]}")


@contextlib.contextmanager
def host():
    """A network of its own, with loopback."""
    sandbox.shell(f"ip netns add {HOST} && ip -n {HOST} link set lo up")
    try:
        yield
    finally:
        sandbox.shell(f"ip netns del {HOST}")


def cpu_of(command, end=None):
    """What a command in that network has used from its start to its end; and its exit code."""
    program = subprocess.Popen(sandbox.on_host(HOST, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if end:
            end(program)
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if program.returncode is None:
            program.kill()
            program.wait()
    return used, program.returncode


def check(*flags):
    """The work of one `check`. The loader and the start are in the baseline, too."""
    return judged("check", *flags, codes=(0, 1, 2, 3))


def judged(command, *flags, codes=(0, 1, 3)):
    """The work of one command that judges connections and ends with what it found."""
    used, code = cpu_of([str(sandbox.PROGRAM), command, *flags])
    if code not in codes:
        raise RuntimeError(f"{command} ends with {code}")
    return used


def asked(grow, work):
    """The same input, for another question."""

    @contextlib.contextmanager
    def grown(count):
        with grow(count):
            yield work

    return grown


def as_json(grow):
    """`check --format=json`: what plan takes, with all sockets and classes of connections."""
    return asked(grow, lambda: check("--format=json"))


def as_explain(grow):
    """`explain` of one connection that comes to the end of the rules."""
    return asked(grow, lambda: judged("explain", "198.51.100.1:40000", "10.0.255.255:65000"))


def as_classes(grow):
    return asked(grow, lambda: judged("explain", "--all"))


def as_plan(grow, of_host=False):
    """The same input, for `plan`: as the candidate, or as what the report of the host holds."""

    @contextlib.contextmanager
    def grown(count):
        def report():
            command = sandbox.on_host(HOST, [str(sandbox.PROGRAM), "check", "--format=json"])
            made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            pathlib.Path(folder, "report.json").write_bytes(made.stdout)

        with tempfile.TemporaryDirectory() as folder:
            if not of_host:
                report()
            with grow(count):
                if of_host:
                    report()
                    load_nft(ACCEPT)
                yield lambda: judged("plan", f"--against={folder}/report.json")

    return grown


def as_report(grow):
    """The same input, for the service: collections, and with details the report and the page, some times over."""

    @contextlib.contextmanager
    def grown(count):
        with grow(count):

            def ask():
                deadline = time.monotonic() + 60
                while answer("/readyz") != b"200" and time.monotonic() < deadline:
                    time.sleep(0.05)
                for _ in range(5):
                    assert answer("/api/v1/report") == b"200"
                    assert answer("/") == b"200"

            yield lambda: serve(ask, ["--report.details"], all_collectors=True)

    return grown


# Rules. Each drops INVALID, as that is what the program must know most of.


def load_nft(text):
    feed(["nft", "-f", "-"], text.replace(" }", "\n}\n"))  # older ones want a line for each brace


@contextlib.contextmanager
def nft_rules(count):
    rules = "".join(f"ip saddr 10.{i >> 8}.{i & 255}.1 tcp dport {i + 1} ct state invalid counter drop\n" for i in range(count))
    load_nft(f"table ip t {{ chain k {{ {rules} }}\n"
         "chain o { type filter hook output priority 0; ip daddr 10.0.0.0/16 jump k\n } }")  # fmt: skip
    yield


@contextlib.contextmanager
def nft_accepted_ports(count):
    """One beside the other. With others between, what is left for the next rule has as many ranges as there were rules."""
    rules = "".join(f"tcp dport {i + 1} accept\n" for i in range(count))
    load_nft(f"table ip t {{ chain o {{ type filter hook output priority 0; {rules} ct state invalid counter drop\n }} }}")
    yield


@contextlib.contextmanager
def nft_named_counters(count):
    objects = "".join(f"counter c{i} {{ }}\n" for i in range(count))
    rules = "".join(f"tcp dport {i + 1} ct state invalid counter name c{i} drop\n" for i in range(count))
    load_nft(f"table ip t {{ {objects} chain o {{ type filter hook output priority 0; {rules} }} }}")
    yield


@contextlib.contextmanager
def nft_chains(count):
    chains = "".join(f"chain k{i} {{ ip saddr 10.9.{i >> 8}.{i & 255} ct state invalid drop\n }}\n" for i in range(count))
    jumps = "".join(f"tcp dport {i + 1} jump k{i}\n" for i in range(count))
    load_nft(f"table ip t {{ {chains} chain o {{ type filter hook output priority 0; {jumps} }} }}")
    yield


@contextlib.contextmanager
def nft_jumps_to_one_chain(count):
    """As many rules that jump there as there are rules in it."""
    inner = "".join(f"ip saddr 10.9.{i >> 8}.{i & 255} ct state invalid drop\n" for i in range(count))
    jumps = "".join(f"ct state invalid tcp dport {i + 1} jump k\n" for i in range(count))
    load_nft(f"table ip t {{ chain k {{ {inner} }} chain o {{ type filter hook output priority 0; {jumps} }} }}")  # fmt: skip
    yield


def elements_of(elements):
    text = ",".join(elements)
    return f"elements={{{text}}}" if text else ""


@contextlib.contextmanager
def nft_set_elements(count):
    """Of a dump of elements the kernel walks the set anew for each page that it fills."""
    elements = elements_of(f"10.{i >> 8}.{i & 255}.0/25" for i in range(count))
    load_nft(f"table ip t {{ set s {{ type ipv4_addr; flags interval; {elements} }}\n"
         "chain o { type filter hook output priority 0; ip saddr @s ct state invalid drop\n } }")  # fmt: skip
    yield


@contextlib.contextmanager
def nft_sets(count):
    """The kernel keeps them in a list and walks it for each that is asked for; elements can be had by the set's name only."""
    rules = "".join(f"tcp dport {{ {i + 1}, {i + 20000} }} ct state invalid drop\n" for i in range(count))
    load_nft(f"table ip t {{ chain o {{ type filter hook output priority 0; {rules} }} }}")
    yield


@contextlib.contextmanager
def nft_verdict_map(count):
    elements = elements_of(f"10.{i >> 8}.{i & 255}.1 : drop" for i in range(count))
    load_nft(f"table ip t {{ map m {{ type ipv4_addr : verdict; {elements} }}\n"
         "chain o { type filter hook output priority 0; ct state invalid ip saddr vmap @m\n } }")  # fmt: skip
    yield


def iptables_rules(count):
    rules = "".join(
        f"-A C -s 10.{i >> 8}.{i & 255}.1/32 -p tcp --dport {i + 1} -m conntrack --ctstate INVALID -m comment --comment x -j DROP\n"
        for i in range(count)
    )
    return f"*filter\n:OUTPUT ACCEPT [0:0]\n:C - [0:0]\n-A OUTPUT -d 10.0.0.0/16 -j C\n{rules}COMMIT\n"


@contextlib.contextmanager
def legacy_rules(count):
    feed(["iptables-legacy-restore"], iptables_rules(count))
    yield


@contextlib.contextmanager
def legacy_equal_rules(count):
    rules = "-A OUTPUT -m conntrack --ctstate INVALID -j DROP\n" * count
    feed(["iptables-legacy-restore"], f"*filter\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n")
    yield


@contextlib.contextmanager
def legacy_chains(count):
    chains = "".join(f":C{i} - [0:0]\n" for i in range(count))
    jumps = "".join(f"-A OUTPUT -p tcp --dport {i + 1} -j C{i}\n" for i in range(count))
    rules = "".join(f"-A C{i} -m conntrack --ctstate INVALID -j DROP\n" for i in range(count))
    feed(["iptables-legacy-restore"], f"*filter\n:OUTPUT ACCEPT [0:0]\n{chains}{jumps}{rules}COMMIT\n")
    yield


@contextlib.contextmanager
def iptables_nft_rules(count):
    feed(["iptables-nft-restore"], iptables_rules(count))
    yield


# Sockets and entries.

_HOLDER = """
import resource, socket, sys
count, address = int(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_NOFILE, (2 * count + 100, 2 * count + 100))
listener = socket.create_server((address, 7000), backlog=4096)
held = []
for _ in range(count):
    held.append(socket.create_connection((address, 7000)))
    held.append(listener.accept()[0])
print("connected", flush=True)
sys.stdin.readline()
for one in held:
    one.close()
print("closed", flush=True)
sys.stdin.readline()
"""

ACCEPT = "table ip u { chain o { type filter hook output priority 0; accept; } }"
INVALID_DROP = "table ip t { chain o { type filter hook output priority 0; ct state invalid counter drop; } }"


@contextlib.contextmanager
def holder(count, address="127.0.0.1"):
    command = [sys.executable, "-c", _HOLDER, count, address]
    with sandbox.running(command, where=HOST, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != b"connected\n":
            raise RuntimeError("cannot make connections")
        yield process


@contextlib.contextmanager
def sockets_with_entries(count):
    load_nft(INVALID_DROP)
    with holder(count):
        yield


@contextlib.contextmanager
def sockets_at_risk(count):
    with sockets_with_entries(count):
        shell("conntrack -F 2>/dev/null")
        yield


@contextlib.contextmanager
def sockets_stuck(count):
    load_nft(INVALID_DROP)
    shell("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0")
    with holder(count) as process:
        shell("conntrack -F 2>/dev/null")
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(1)  # two tries of each are what makes it stuck
        yield


@contextlib.contextmanager
def entries(count):
    load_nft(INVALID_DROP)
    send = (
        "import socket, sys\n"
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for i in range(int(sys.argv[1])):\n"
        "    one.sendto(b'', (f'127.0.{1 + i // 60000}.1', 1 + i % 60000))\n"
    )
    subprocess.run(sandbox.on_host(HOST, [sys.executable, "-c", send, str(count)]), check=False)
    yield


@contextlib.contextmanager
def addresses(count):
    batch = "".join(f"address add 10.{i >> 8}.{i & 255}.1/32 dev lo\n" for i in range(count))
    feed(["ip", "-batch", "-"], batch)
    with sockets_at_risk(200):
        yield


@contextlib.contextmanager
def routing_rules(count):
    feed(["ip", "-batch", "-"], "".join(f"rule add from 10.{i >> 8}.{i & 255}.1 table main pref {i + 1}\n" for i in range(count)))
    with sockets_at_risk(200):
        yield


# Containers: each a process in a network of its own, with connections.
_CONTAINERS = """
import ctypes, fcntl, os, signal, socket, struct, sys
held = []
for _ in range(int(sys.argv[1])):
    ready, told = os.pipe()
    if os.fork() == 0:
        assert ctypes.CDLL(None).unshare(0x40000000) == 0
        loopback = struct.pack("16sH14x", b"lo", 1)
        fcntl.ioctl(socket.socket(), 0x8914, loopback)  # SIOCSIFFLAGS: up
        listener = socket.create_server(("127.0.0.1", 7000))
        for _ in range(10):
            held.append(socket.create_connection(("127.0.0.1", 7000)))
            held.append(listener.accept()[0])
        os.write(told, b"x")
        os.close(told)
        signal.pause()
    os.close(told)
    assert os.read(ready, 1)
    os.close(ready)
print("connected", flush=True)
signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
signal.pause()
"""


@contextlib.contextmanager
def network_namespaces(count):
    command = [sys.executable, "-c", _CONTAINERS, count]
    with sandbox.running(command, where=HOST, stdout=subprocess.PIPE, start_new_session=True) as process:
        if process.stdout.readline() != b"connected\n":
            raise RuntimeError("cannot make containers")
        yield


_PROCESSES = """
import os, signal, sys
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        signal.pause()
print("there", flush=True)
signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
signal.pause()
"""


@contextlib.contextmanager
def processes(count):
    command = [sys.executable, "-c", _PROCESSES, count]
    with sandbox.running(command, where=HOST, stdout=subprocess.PIPE, start_new_session=True) as process:
        if process.stdout.readline() != b"there\n":
            raise RuntimeError("cannot make processes")
        yield


# The service and its clients.


def answer(path="/healthz", head="", address="127.0.0.1", pieces=0):
    """One answer; the request in so many bytes at a time, where `pieces` is given."""
    client = socket.create_connection((address, PORT), timeout=30)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{head}Connection: close\r\n\r\n".encode()
    for start in range(0, len(request), pieces or len(request)):
        client.sendall(request[start : start + (pieces or len(request))])
    received = b""
    while more := client.recv(65536):
        received += more
    client.close()
    return received[9:12]


def serve(ask, flags=(), all_collectors=False):
    """The work of the service from its start to its end, with what `ask` asks of it."""

    def end(program):
        with in_network():
            deadline = time.monotonic() + 30
            while True:
                try:
                    answer()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
            ask()
        program.terminate()

    few = () if all_collectors else FEW_COLLECTORS
    command = [str(sandbox.PROGRAM), f"--web.listen-address=127.0.0.1:{PORT}", *few, *flags]
    used, code = cpu_of(command, end)
    if code != 0:
        raise RuntimeError(f"the service ends with {code}")
    return used


def set_network(fd):
    """os.setns, which Python has since 3.12."""
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def in_network():
    """This process is in that network meanwhile."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{HOST}", os.O_RDONLY)
    try:
        set_network(there)
        yield
    finally:
        set_network(here)
        os.close(here)
        os.close(there)


@contextlib.contextmanager
def fields(count):
    """Of each of 4,000 requests."""
    head = "".join(f"X{i}: {'a' * 60}\r\n" for i in range(count))

    def ask():
        for _ in range(4000):
            assert answer(head=head) == b"200"

    yield lambda: serve(ask)


@contextlib.contextmanager
def head_byte_by_byte(count):
    def ask():
        for _ in range(30):
            assert answer(head=f"X: {'a' * count}\r\n", pieces=1) == b"200"

    yield lambda: serve(ask)


@contextlib.contextmanager
def accepted_types(count):
    accept = "Accept: " + ",".join(f"a/b{i};q=0.{i % 9 + 1}" for i in range(count)) + "\r\n"

    def ask():
        for _ in range(1000):
            assert answer("/metrics", head=accept) == b"200"

    yield lambda: serve(ask)


@contextlib.contextmanager
def users(count):
    """In the configuration; each asks once, the last time wrongly. A check costs what it costs: the cost is the least."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "web.yml")
        hashed = passwords.bcrypt("secret", 4)
        config.write_text("basic_auth_users:\n" + "".join(f"  user{i}: {hashed}\n" for i in range(count + 1)))

        def ask():
            for i in range(count + 2):
                login = base64.b64encode(f"user{i}:secret".encode()).decode()
                got = answer(head=f"Authorization: Basic {login}\r\n")
                assert got == (b"200" if i <= count else b"401"), got

        yield lambda: serve(ask, [f"--web.config.file={config}"])


@contextlib.contextmanager
def clients(count):
    """Addresses that each hold a connection, and then ask."""

    def ask():
        held = []
        for i in range(count):
            client = socket.socket()
            client.bind((f"127.1.{i >> 8}.{1 + (i & 127)}", 0))
            client.connect(("127.0.0.1", PORT))
            held.append(client)
        for client in held:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        for client in held:
            while client.recv(65536):
                pass
            client.close()

    def ask_often():
        for _ in range(10):
            ask()

    yield lambda: serve(ask_often)


INPUTS = [
    Input("rules of nftables", 2000, nft_rules),
    Input("rules of iptables-nft", 2000, iptables_nft_rules),
    Input("rules of iptables-legacy", 2000, legacy_rules),
    Input("equal rules of iptables-legacy", 2000, legacy_equal_rules),
    Input("named counters", 500, nft_named_counters),
    Input("chains of nftables", 1000, nft_chains),
    Input("chains of iptables-legacy", 1000, legacy_chains),
    Input("jumps to one chain, and its rules", 500, nft_jumps_to_one_chain),
    Input("sets", 2000, nft_sets, ours=True),
    Input("elements of a set", 20000, nft_set_elements, ours=True),
    Input("elements of a verdict map", 20000, nft_verdict_map),
    Input("sockets with entries", 4000, sockets_with_entries),
    Input("sockets at risk", 2000, sockets_at_risk),
    Input("stuck sockets", 1000, sockets_stuck),
    Input("conntrack entries", 50000, entries),
    Input("addresses of this host", 8000, addresses),
    Input("routing rules", 8000, routing_rules),
    Input("network namespaces", 80, network_namespaces),
    Input("processes", 2000, processes),
    Input("fields of a request", 45, fields),
    Input("a head that comes byte by byte", 6000, head_byte_by_byte),
    Input("types in an Accept", 450, accepted_types),
    Input("users", 200, users),
    Input("clients", 100, clients),
    Input("rules of nftables, JSON", 1000, as_json(nft_rules)),
    Input("rules of iptables-legacy, JSON", 1000, as_json(legacy_rules)),
    Input("chains of nftables, JSON", 500, as_json(nft_chains)),
    Input("chains of iptables-legacy, JSON", 500, as_json(legacy_chains)),
    Input("sets, JSON", 500, as_json(nft_sets), ours=True),
    Input("sockets at risk, JSON", 2000, as_json(sockets_at_risk)),
    Input("stuck sockets, JSON", 1000, as_json(sockets_stuck)),
    Input("network namespaces, JSON", 80, as_json(network_namespaces)),
    Input("rules of nftables, explain", 2000, as_explain(nft_rules)),
    Input("rules of iptables-legacy, explain", 2000, as_explain(legacy_rules)),
    Input("chains of iptables-legacy, explain", 4000, as_explain(legacy_chains)),
    Input("accepted ports, explain", 4000, as_explain(nft_accepted_ports)),
    Input("rules of nftables, classes", 1000, as_classes(nft_rules)),
    Input("rules of iptables-legacy, classes", 1000, as_classes(legacy_rules)),
    Input("chains of nftables, classes", 1000, as_classes(nft_chains)),
    Input("chains of iptables-legacy, classes", 1000, as_classes(legacy_chains)),
    Input("accepted ports, classes", 1000, as_classes(nft_accepted_ports)),
    Input("sockets at risk, classes", 2000, as_classes(sockets_at_risk)),
    Input("rules of nftables, plan", 1000, as_plan(nft_rules)),
    Input("chains of iptables-legacy, plan", 1000, as_plan(legacy_chains)),
    Input("accepted ports, plan", 1000, as_plan(nft_accepted_ports)),
    Input("elements of a verdict map, plan", 10000, as_plan(nft_verdict_map)),
    Input("sockets at risk, plan", 2000, as_plan(sockets_at_risk, of_host=True)),
    Input("rules of nftables, report", 2000, as_report(nft_rules)),
    Input("rules of iptables-legacy, report", 2000, as_report(legacy_rules)),
    Input("chains of nftables, report", 1000, as_report(nft_chains)),
    Input("sockets at risk, report", 2000, as_report(sockets_at_risk)),
    Input("stuck sockets, report", 1000, as_report(sockets_stuck)),
    Input("network namespaces, report", 80, as_report(network_namespaces)),
]


def measure(what, count):
    with host():
        with what.grow(count) as work:
            used = (work or check)()
    return used.ru_utime + (0 if what.ours else used.ru_stime)


def ratio(least, what):
    none, once, twice = (least[count] for count in (0, what.size, 2 * what.size))
    return (twice - none) / max(once - none, LEAST_CPU)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="inputs whose name has this text")
    parser.add_argument("--size", type=int, help="instead of each input's own")
    arguments = parser.parse_args()
    sandbox.enter_or_skip()
    failures = []
    print(f"{'input':36} {'size':>6} {'CPU ms':>8} {'twice':>8} {'ratio':>6}")
    for what in INPUTS:
        if arguments.only not in what.name:
            continue
        what = what._replace(size=arguments.size or what.size)
        least = {count: float("inf") for count in (0, what.size, 2 * what.size)}
        for turn in range(ROUNDS):
            for count in least:
                least[count] = min(least[count], measure(what, count))
            if ratio(least, what) <= MOST and turn >= 1:
                break
        none, once, twice = least.values()
        grown = ratio(least, what)
        print(f"{what.name:36} {what.size:6} {1000 * (once - none):8.0f} {1000 * (twice - none):8.0f} {grown:6.2f}", flush=True)
        if grown > MOST:
            failures.append(f"{what.name}: twice as many take {grown:.2f} times the work")
    if not any(arguments.only in what.name for what in INPUTS):
        failures.append(f"no input has {arguments.only!r} in its name")
    if failures:
        print("\n".join(failures), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
