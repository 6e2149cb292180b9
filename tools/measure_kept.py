#!/usr/bin/env python3
"""Scrapes over kept and over new connections: a host with kube-proxy's rules against an idle one, in turn.

  sudo tools/measure_kept.py PROGRAM [RULES] [SCRAPES]     default: 50,000 rules, 900 scrapes of each kind

Each host is a network namespace of this script's own with a program in it. Prints medians, p99s and their ratios.
"""
import ctypes
import os
import socket
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n%s\r\n"
PAUSE = 0.004


def kube_proxy_rules(number):
    """As kube-proxy writes them: of each service eight rules, with two endpoints."""
    chains, rules = ["KUBE-SERVICES", "KUBE-MARK-MASQ"], ["-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES"]
    for service in range(number // 8):
        address = f"198.18.{service // 250 % 250}.{1 + service % 250}"
        chain = f"KUBE-SVC-{service:016d}"
        chains.append(chain)
        rules.append(f"-A KUBE-SERVICES -d {address}/32 -p tcp -m tcp --dport 80 -j {chain}")
        rules.append(f"-A {chain} ! -s 198.19.0.0/16 -d {address}/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ")
        for endpoint in (2 * service, 2 * service + 1):
            to = f"198.19.{endpoint // 250 % 250}.{1 + endpoint % 250}"
            target = f"KUBE-SEP-{endpoint:016d}"
            chains.append(target)
            chance = "-m statistic --mode random --probability 0.5 " if endpoint % 2 == 0 else ""
            rules.append(f"-A {chain} {chance}-j {target}")
            rules.append(f"-A {target} -s {to}/32 -j KUBE-MARK-MASQ")
            rules.append(f"-A {target} -p tcp -m tcp -j DNAT --to-destination {to}:8080")
    rules.append("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000")
    heads = [":PREROUTING ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT"] + [f":{chain} -" for chain in chains]
    return "\n".join(["*nat"] + [f"{head} [0:0]" for head in heads] + rules + ["COMMIT", ""])


class Host:
    def __init__(self, program, rules):
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "a network namespace of its own")
        self.namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"], check=True)
        if rules:
            subprocess.run(["iptables-restore", "-n"], input=kube_proxy_rules(rules).encode(), check=True)
        self.process = subprocess.Popen([program, "--namespaces=none"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.kept = None

    def connect(self):
        LIBC.setns(self.namespace, CLONE_NEWNET)
        connection = socket.create_connection(("127.0.0.1", 10061))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def over_kept(self):
        if self.kept is None:
            self.kept = self.connect()
            ask(self.kept, close=False)
        time.sleep(PAUSE)
        begin = time.perf_counter()
        stays = ask(self.kept, close=False)
        took = time.perf_counter() - begin
        if not stays:
            self.kept.close()
            self.kept = None
        return took

    def over_new(self):
        time.sleep(PAUSE)
        begin = time.perf_counter()
        with self.connect() as connection:
            ask(connection, close=True)
            return time.perf_counter() - begin


def ask(connection, close):
    """One scrape; whether the server keeps the connection."""
    connection.sendall(REQUEST % (b"Connection: close\r\n" if close else b""))
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, body = answer.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return b"connection: close" not in head.lower()


def main():
    program = sys.argv[1]
    rules = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    scrapes = int(sys.argv[3]) if len(sys.argv) > 3 else 900
    hosts, times = {}, {}
    try:
        for name, of in (("idle", 0), ("loaded", rules)):
            hosts[name] = Host(program, of)
        time.sleep(8)
        for _ in range(scrapes):
            for name, host in hosts.items():
                times.setdefault((name, "kept"), []).append(host.over_kept())
                times.setdefault((name, "new"), []).append(host.over_new())
    finally:
        for host in hosts.values():
            host.process.kill()
    told = {}
    for (name, kind), each in sorted(times.items()):
        each.sort()
        told[name, kind] = (each[len(each) // 2] * 1e3, each[len(each) * 99 // 100] * 1e3)
        print(f"{name}, {kind}: median {told[name, kind][0]:.2f} ms, p99 {told[name, kind][1]:.2f} ms")
    for kind in ("kept", "new"):
        median, worst = (told["loaded", kind][i] / told["idle", kind][i] for i in (0, 1))
        print(f"{kind}, loaded to idle: median {median:.2f}, p99 {worst:.2f}")


main()
