#!/usr/bin/python3
"""Makes every variant of the failure for real and measures what one sees: the tables of docs/how-it-works.md.

    tools/measure_failure.py [VARIANT...]     all of them at once; some 2 minutes; needs root and build/finwait_exporter

Each variant has two network namespaces of its own, joined by a veth pair: this process's (the local host, with the rules
and the exporter) and its peer's. A connection idles until its conntrack entry has timed out, then its process is killed.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "finwait_exporter"
LOCAL, PEER, SERVICE = "192.0.2.1", "192.0.2.2", "198.51.100.10"
TIMEOUT = 10  # seconds that an idle entry lasts here
PATIENCE = 150  # seconds after the kill

EGRESS = ["iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"]
INGRESS = [
    "iptables -P INPUT DROP",
    "iptables -A INPUT -i lo -j ACCEPT",
    "iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
]
ACCEPT_INVALID = ["iptables -A INPUT -m conntrack --ctstate INVALID -j ACCEPT"]
UNTRACKED = ["iptables -t raw -A OUTPUT -p tcp --dport 80 -j CT --notrack",
             "iptables -t raw -A PREROUTING -p tcp --sport 80 -j CT --notrack"]
VERDICT_MAP = ["""nft -f - <<'END'
table ip filter {
  chain out {
    type filter hook output priority 0; policy accept;
    ct state vmap { established : accept, invalid : drop }
  }
}
END"""]

# Rules and settings of the local host; who closes how.
VARIANTS = {
    "A": {"rules": EGRESS},
    "A2": {"rules": EGRESS, "peer_closes": True},
    "B": {"rules": EGRESS, "reset": True},
    "C": {"rules": INGRESS},
    "D": {"rules": INGRESS + ACCEPT_INVALID},
    "E": {"rules": INGRESS + ACCEPT_INVALID, "settings": {"tcp_loose": 0}},
    "F": {"rules": EGRESS, "settings": {"tcp_be_liberal": 1}},
    "G": {"rules": EGRESS, "flush": True},
    "H": {"rules": VERDICT_MAP},
    "I": {"rules": [], "flood": True},
    "fixed": {"rules": EGRESS, "fix": (20, "iptables -I OUTPUT -p tcp -m conntrack --ctstate INVALID --tcp-flags FIN FIN -j ACCEPT")},
    "keepalive": {"rules": EGRESS, "keepalive": 3},
    "untracked": {"rules": EGRESS + UNTRACKED},
    "ack accepted": {"rules": INGRESS + ["iptables -A INPUT -p tcp --tcp-flags SYN,ACK ACK -m conntrack --ctstate NEW -j ACCEPT"]},
    "NAT": {"rules": [f"iptables -t nat -A OUTPUT -d {SERVICE} -j DNAT --to-destination {PEER}"], "connect_to": SERVICE},
}

CLIENT = """
import socket, struct, sys, time
connection = socket.create_connection((sys.argv[1], 80))
connection.sendall(b"hello")
if "reset" in sys.argv:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
if "keepalive" in sys.argv:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
if "flood" in sys.argv:
    connection.settimeout(1)
    try:
        while True: connection.sendall(bytes(65536))
    except TimeoutError: pass
print("ready", flush=True)
time.sleep(3600)
"""
SERVER = """
import socket, sys, time
listener = socket.create_server(("", 80))
print("ready", flush=True)
connection, _ = listener.accept()
if "close" in sys.argv:
    connection.recv(5)
    connection.close()
time.sleep(3600)
"""


def shell(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError(what)


def is_ready():
    with contextlib.suppress(OSError):
        return urllib.request.urlopen("http://127.0.0.1:10061/readyz", timeout=5).status == 200
    return False


class Look:
    """One look at everything: the exporter, the socket as ss shows it, the kernel's counters."""

    def __init__(self, peer):
        with urllib.request.urlopen("http://127.0.0.1:10061/metrics", timeout=10) as response:
            lines = [line for line in response.read().decode().splitlines() if not line.startswith("#")]
        self.series = {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
        self.local = self.sockets("", "dport = :80")
        self.peer = self.sockets(f"nsenter --net=/proc/{peer}/ns/net ", "sport = :80")

    @staticmethod
    def sockets(prefix, which):
        found = re.findall(r"^(\S+) .*?(?:timer:\((\w+),.*?,(\d+)\))?\s*\n\s(.*)", shell(f"{prefix}ss -Htaino '{which}'"), re.M)
        return [one for one in found if one[0] != "LISTEN"]

    def active(self, name):
        """Labels of the family's series that are above 0."""
        return [re.search(r"\{(.*)\}", one)[1] for one, value in self.series.items() if one.startswith(name + "{") and value > 0]

    def stage(self):
        return (self.active("finwait_risk_stage") or ["?"])[0].removeprefix('stage="').rstrip('"')

    def facts(self):
        state = self.local[0] if self.local else ("gone", "", "", "")
        unsent = ", notsent" if "notsent:" in state[3] else ""
        dropped = sum(v for n, v in self.series.items() if n.startswith("finwait_firewall_invalid_drop_packets_total"))
        return {
            "local socket": state[0] + (f" ({state[1]}{unsent})" if state[1] else ""),
            "peer": self.peer[0][0] if self.peer else "gone",
            "stage": self.stage(),
            "score": f"{self.series.get('finwait_risk_score', float('nan')):.1f}",
            "without entry": f"{sum(v for n, v in self.series.items() if n.startswith('finwait_tcp_untracked_sockets')):.0f}",
            "would stick": ", ".join(self.active("finwait_tcp_at_risk_sockets")) or "-",
            "stuck": ", ".join(self.active("finwait_tcp_stuck_sockets")) or "-",
            "counted": ", ".join(self.active("finwait_tcp_sockets_stuck_total")) or "-",
            "dropped by the rule": f"{dropped:.0f}",
        }


COUNTERS = {
    "invalid": "finwait_conntrack_invalid_total",
    "AbortFailed": "finwait_netstat_tcp_abort_failed_total",
    "AbortOnTimeout": "finwait_netstat_tcp_abort_on_timeout_total",
}


def measure(name):
    """Runs in the local namespace, of which it is the first process."""
    variant = VARIANTS[name]
    with contextlib.ExitStack() as stack:

        def start(command, **options):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
            stack.callback(lambda: (process.kill(), process.wait()))
            return process

        peer = start(["unshare", "--net", "sleep", "infinity"])
        mine = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{peer.pid}/ns/net") != mine, 10, "the peer's namespace")
        in_peer = ["nsenter", f"--net=/proc/{peer.pid}/ns/net"]
        shell(f"ip link set lo up; ip link add local type veth peer name peer netns {peer.pid}")
        shell(f"ip address add {LOCAL}/24 dev local; ip link set local up; ip route add default via {PEER}")
        shell(f"{' '.join(in_peer)} sh -c 'ip address add {PEER}/24 dev peer; ip link set peer up; ip link set lo up'")
        for rule in variant["rules"]:
            shell(rule)
        for setting, value in ({"tcp_timeout_established": TIMEOUT, "tcp_timeout_close_wait": TIMEOUT} | variant.get("settings", {})).items():
            pathlib.Path(f"/proc/sys/net/netfilter/nf_conntrack_{setting}").write_text(str(value))

        for setting in ("time", "intvl"):
            pathlib.Path(f"/proc/sys/net/ipv4/tcp_keepalive_{setting}").write_text(str(variant.get("keepalive", 7200)))

        start([PROGRAM, "--namespaces=none", "--web.listen-address=127.0.0.1:10061", "--sampling.interval=1s", "--log.level=error"])
        server = start([*in_peer, sys.executable, "-c", SERVER, *(["close"] if variant.get("peer_closes") else [])])
        server.stdout.readline()
        how = [word for word in ("reset", "flood", "keepalive") if variant.get(word)]
        client = start([sys.executable, "-c", CLIENT, variant.get("connect_to", PEER), *how])
        client.stdout.readline()
        opened = time.monotonic()
        timeline = []  # (seconds since the kill, what changed)
        last = {}

        def note(zero):
            look = Look(peer.pid)
            facts = look.facts()
            changed = {key: value for key, value in facts.items() if last.get(key) != value}
            if set(changed) - {"score"}:
                timeline.append((time.monotonic() - zero, changed))
            last.update(facts)
            return look

        wait_for(is_ready, 60, "the exporter")
        if variant.get("flush"):
            shell("conntrack -D -p tcp --dport 80")
        while (
            variant["rules"]
            and time.monotonic() < opened + 2 * TIMEOUT
            and "dport=80 " in shell("conntrack -L -p tcp 2>/dev/null")
        ):
            note(opened)
            time.sleep(0.2)
        for _ in range(10):  # long enough for the exporter to see that the entry is gone
            before = note(opened)
            time.sleep(0.3)

        kill = time.monotonic()
        foretold = [(when - (kill - opened), what) for when, what in timeline]
        timeline.clear()
        client.send_signal(signal.SIGKILL)
        client.wait()
        seen, stuck, gone, cause_after = "gone", "-", None, None
        when, fix = variant.get("fix", (PATIENCE, ""))
        check = ""
        while time.monotonic() < kill + PATIENCE:
            look = note(kill)
            if fix and time.monotonic() > kill + when:
                shell(fix)
                fix = ""
            if look.local and look.local[0][1]:
                seen = last["local socket"]
            if last["stuck"] != "-":
                stuck = last["stuck"]
                check = check or subprocess.run([PROGRAM, "check", "--namespaces=none"], capture_output=True, text=True).stdout
                cause_after = cause_after or time.monotonic() - kill
            if not look.local:
                gone = gone or time.monotonic() - kill
                if time.monotonic() > kill + gone + 8:
                    break
            time.sleep(0.2)
        after = note(kill)
        return {
            "foretold": foretold,
            "timeline": timeline,
            "check": check,
            "row": {
                "variant": name,
                "local": seen,
                "lasts": f"{gone:.0f} s" if gone else f"over {PATIENCE} s",
                "peer": last["peer"],
                "foretold": before.facts()["would stick"],
                "cause": stuck,
                "after": f"{cause_after:.1f} s" if cause_after else "-",
                "stage": after.stage(),
                **{short: f"+{after.series[series] - before.series[series]:.0f}" for short, series in COUNTERS.items()},
                "dropped": after.facts()["dropped by the rule"],
            },
        }


def main(names):
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or os.getuid() != 0:
        sys.exit(f"usage, as root: {sys.argv[0]} [{' | '.join(VARIANTS)}]...")
    if len(names) == 1 and os.environ.get("FINWAIT_VARIANT") == names[0]:
        print(json.dumps(measure(names[0])))
        return
    running = {
        name: subprocess.Popen(["unshare", "--net", sys.executable, __file__, name], env=os.environ | {"FINWAIT_VARIANT": name},
                               stdout=subprocess.PIPE, text=True)
        for name in names or VARIANTS
    }
    rows = {}
    for name, process in running.items():
        out = process.communicate()[0]
        if process.returncode != 0:
            print(f"{name}: failed", file=sys.stderr)
            continue
        result = json.loads(out)
        rows[name] = result["row"]
        print(f"\n== {name}")
        for when, changed in [*result["foretold"], *result["timeline"]]:
            print(f"{when:8.1f} s  " + "; ".join(f"{key}: {value}" for key, value in changed.items()))
        print(f"\n{result['check']}")
    for row in [{key: key for key in next(iter(rows.values()), {})}, *rows.values()]:
        print("| " + " | ".join(row.values()) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
