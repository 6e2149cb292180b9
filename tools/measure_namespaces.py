#!/usr/bin/python3
"""What it costs to observe containers and pods: tools/measure_namespaces.py [NAMESPACES...] (default: 0 50 200). With
FINWAIT_NAMESPACES=enter: to enter them.

Each namespace has one process with 50 idle connections through this host, which masquerades them; in one of them the process
dies once all entries are gone. Prints a table row for each number: the share of a core and the memory that the exporter takes
at its default settings, and how long until the stuck sockets show. Needs root and no namespace of the machine's own."""

import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e/containers"))
from machine import at_risk, enter_a_machine_of_its_own, forget, sandbox, stuck  # noqa: E402

EACH = 50
PORT = 8080
SECONDS = 60
_HOLD = """
import os, socket, sys, time
held = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(int(sys.argv[3]))]
print(flush=True)
time.sleep(86400)
"""


def make(number):
    """`number` namespaces on a bridge, each with a process that stays and one that holds connections."""
    holders = []
    sandbox.shell("ip link add pods type bridge; ip address add 10.9.0.1/16 dev pods; ip link set pods up")
    for i in range(number):
        name, address = f"pod{i}", f"10.9.{1 + i // 200}.{2 + i % 200}"
        sandbox.shell(
            f"""ip netns add {name}; ip link add p{i} type veth peer name eth0 netns {name}; ip link set p{i} master pods up
            nsenter --net=/run/netns/{name} sh -ec 'ip link set lo up; ip address add {address}/16 dev eth0
            ip link set eth0 up; ip route add default via 10.9.0.1'"""
        )
        subprocess.Popen(sandbox.on_host(name, ["sleep", "infinity"]))
        hold = [sys.executable, "-S", "-c", _HOLD, sandbox.PEER, str(PORT), str(EACH)]
        holders.append(subprocess.Popen(sandbox.on_host(name, hold), stdout=subprocess.PIPE))
        holders[-1].stdout.readline()
    return holders


def processes():
    """All of the program's."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().startswith("finwait_"):
                found.append(path.parent)
        except OSError:
            continue
    if not found:
        raise RuntimeError("no exporter")
    return found


def cpu_seconds(folders):
    fields = [(folder / "stat").read_text().rpartition(")")[2].split() for folder in folders]
    return sum(int(one[11]) + int(one[12]) for one in fields) / 100


def pss(folders):
    lines = [line for folder in folders for line in (folder / "smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def main():
    number = int(sys.argv[1])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sandbox.sysctl("net.ipv4.ip_forward", 1)
    sandbox.shell("iptables -t nat -A POSTROUTING -s 10.9.0.0/16 -o veth0 -j MASQUERADE")
    enter_a_machine_of_its_own()
    with sandbox.peer_listening(PORT):
        holders = make(number)
        established = 'finwait_tcp_sockets{family="ipv4",state="established"}'
        with sandbox.exporter(f"--namespaces={os.environ.get('FINWAIT_NAMESPACES', 'observe')}"):
            begun = time.monotonic()
            sandbox.wait_for("all sockets", lambda: sandbox.metrics().get(established, 0) >= number * EACH, 600)
            seen = time.monotonic() - begun
            time.sleep(20)
            folders = processes()
            before = cpu_seconds(folders)
            time.sleep(SECONDS)
            share = (cpu_seconds(folders) - before) / SECONDS
            found = float("nan")
            if number:
                forget()
                sandbox.wait_for("all at risk", lambda: at_risk(sandbox.metrics(), "nat_lost") >= number * EACH * 0.9, 600)
                dead = time.monotonic()
                holders[number // 2].kill()
                sandbox.wait_for("the stuck ones", lambda: stuck(sandbox.metrics(), "nat_lost") >= EACH, 120)
                found = time.monotonic() - dead
            print(f"| {number} | {number * EACH} | {share:.2%} | {pss(folders):.1f} MB | {seen:.0f} s | {found:.0f} s |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("| namespaces | sockets | CPU, of one core | memory (PSS) | all read after | stuck ones found after |\n|---|---|---|---|---|---|")
        sys.stdout.flush()
        for argument in sys.argv[1:] or ["0", "50", "200"]:
            subprocess.run([sys.executable, __file__, argument], check=False)
    else:
        sandbox.enter()
        main()
