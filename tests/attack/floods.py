#!/usr/bin/python3
"""Floods from one address and from 200: is everybody else still served?

Each flood takes all it can get of one scarce thing; 60 other addresses ask now and then, as scrapers and probes do. Holds
that all of these are answered, 99 of 100 within 250 ms, and that the exporter stays small. Other work on the machine makes
everybody wait, so that its load stands in the last column. --measure prints the table only (and takes PROGRAM from
FINWAIT_PROGRAM, an older one if need be). --short is the form of a test: each flood for three, and no time is judged; in
which order peers are served is held by counts in tests/unit/exporter/http.
"""

import argparse
import base64
import collections
import functools
import multiprocessing
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import passwords

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import sandbox  # noqa: E402  (the path comes first)

PORT = 10061
SECONDS = 6.0
HEAD_START = 2.0  # of the flood: until then nobody has had more than others
SHORT_SECONDS = 1.5
PATIENCE = 10.0  # a scrape's
USERS = 24
MOST_RESIDENT_MIB = 64
MOST_MS = 250  # that 99 of 100 others may wait

Flood = collections.namedtuple("Flood", "name attack rate config path tls login")


def connected(source, blocking=True):
    """A connection from that address, or None."""
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    client.settimeout(PATIENCE)
    client.setblocking(blocking)
    if blocking:
        client.settimeout(PATIENCE)
    try:
        client.bind((source, 0))
        client.connect(("127.0.0.1", PORT))
    except BlockingIOError:
        pass
    except OSError:
        client.close()
        return None
    return client


def tls_context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls_context().wrap_bio(incoming, outgoing)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def flood(kind, rate, sources, until, sent):
    """Opens connections at that rate and keeps the newest of them; on each sends what the kind has it send."""
    first = client_hello() if kind == "hello" else b""
    open_ones = collections.deque()
    start = time.monotonic()
    count = 0
    while time.monotonic() < until:
        if count > rate * (time.monotonic() - start):
            time.sleep(0.001)
            continue
        client = connected(sources[count % len(sources)], blocking=False)
        count += 1
        sent.value = count
        if client is None:
            continue
        if kind == "partial":
            first = b"GET /metrics HTTP/1.1\r\nHost: h\r\nX: "
        elif kind == "guess":
            guess = base64.b64encode(f"user0:guess{os.getpid()}-{count}".encode()).decode()
            first = f"GET /metrics HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {guess}\r\n\r\n".encode()
        elif kind.startswith("/"):
            first = f"GET {kind} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        if first:
            try:
                client.send(first)
            except OSError:
                pass
        open_ones.append(client)
        if len(open_ones) > 1500:
            open_ones.popleft().close()


def ask(source, path, tls, credentials):
    """The status of one request, or what kept it from having one."""
    client = connected(source)
    if client is None:
        return "refused"
    try:
        if tls is not None:
            client = tls.wrap_socket(client)
        head = f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        if credentials:
            head += f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}\r\n"
        client.sendall((head + "\r\n").encode())
        return client.recv(4096)[9:12].decode() or "cut"
    except OSError as error:
        return type(error).__name__
    finally:
        client.close()


def ask_now_and_then(what, until, results, index):
    """What 30 others do, one after the other: each asks every three seconds or more rarely, as scrapers and probes do. A
    first login is one: each with a user that was not let in before."""
    tls = tls_context() if what.tls else None
    users = iter(range(1 + index * (USERS // 2), 1 + (index + 1) * (USERS // 2)))
    answers = []
    turn = 0
    while time.monotonic() < until:
        turn += 1
        source = f"127.9.{1 + index}.{1 + turn % 30}"
        credentials = ""
        if what.login:
            user = next(users, None)
            if user is None:
                break
            credentials = f"user{user}:secret{user}"
        start = time.monotonic()
        status = ask(source, what.path, tls, credentials)
        answers.append((status, time.monotonic() - start))
        time.sleep(0.2 if what.login else 0.1)
    results.put(answers)


@functools.cache
def certificate(kind):
    """(certificate, key), made once."""
    options = ["-newkey", "rsa:4096"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", *options, "-nodes", "-keyout", f"{folder}/key", "-out", f"{folder}/crt", "-days", "30",
             "-subj", "/CN=localhost"],
            check=True, capture_output=True,
        )  # fmt: skip
        return pathlib.Path(folder, "crt").read_bytes(), pathlib.Path(folder, "key").read_bytes()


def configuration(folder, kind):
    if kind in ("rsa", "ec"):
        for name, content in zip(("crt", "key"), certificate(kind)):
            (folder / name).write_bytes(content)
        return "tls_server_config:\n  cert_file: crt\n  key_file: key\n"
    if kind == "users":
        lines = ["basic_auth_users:"]
        for user in range(USERS + 1):
            lines.append(f"  user{user}: {passwords.bcrypt(f'secret{user}', 10)}")
        return "\n".join(lines) + "\n"
    if kind == "rate":
        return "rate_limit:\n  interval: 20ms\n  burst: 20\n"
    return ""


def serve(folder, config):
    arguments = [str(sandbox.PROGRAM), f"--web.listen-address=127.0.0.1:{PORT}"]
    if config:
        (folder / "web.yml").write_text(config)
        arguments.append(f"--web.config.file={folder}/web.yml")
    log = open(folder / "log", "wb")
    program = subprocess.Popen(arguments, stderr=log)
    for _ in range(100):
        client = connected("127.9.9.7")
        if client is not None:
            client.close()
            break
        time.sleep(0.05)
    time.sleep(0.5)
    return program


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(what, addresses, folder, seconds=SECONDS):
    """Floods for a while; returns the answers of others, and the memory of the program after it."""
    program = serve(folder, configuration(folder, what.config))
    sources = [f"127.1.{1 + i // 200}.{1 + i % 200}" for i in range(addresses)]
    sent = multiprocessing.Value("q", 0)
    lasts = seconds + HEAD_START
    until = time.monotonic() + lasts
    attacker = multiprocessing.Process(target=flood, args=(what.attack, what.rate, sources, until, sent))
    if addresses:
        attacker.start()
        time.sleep(HEAD_START)
    results = multiprocessing.Queue()
    others = [
        multiprocessing.Process(target=ask_now_and_then, args=(what, until - 0.3, results, i))
        for i in range(2)
    ]
    for other in others:
        other.start()
    answers = [answer for _ in others for answer in results.get()]
    for other in others:
        other.join()
    if addresses:
        attacker.join()
    alive = program.poll() is None
    memory = resident_mib(program.pid) if alive else 0.0
    program.terminate()
    program.wait(10)
    return answers, memory, sent.value / lasts, alive


FLOODS = [
    Flood("connections that say nothing", "idle", 4000, "", "/healthz", False, False),
    Flood("heads that do not end", "partial", 2000, "", "/metrics", False, False),
    Flood("scrapes", "/metrics", 1000, "", "/metrics", False, False),
    Flood("the report", "/api/v1/report", 300, "", "/api/v1/report", False, False),
    Flood("the report, against scrapes", "/api/v1/report", 300, "", "/metrics", False, False),
    Flood("ClientHellos, RSA-4096", "hello", 500, "rsa", "/metrics", True, False),
    Flood("ClientHellos, P-256", "hello", 2000, "ec", "/metrics", True, False),
    Flood("idle against TLS", "idle", 4000, "ec", "/metrics", True, False),
    Flood("guessed passwords against first logins", "guess", 300, "users", "/metrics", False, True),
    Flood("the rate limit, scrapes", "/metrics", 200, "rate", "/metrics", False, False),
    Flood("the rate limit, probes", "/metrics", 200, "rate", "/healthz", False, False),
]


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] if times else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="print the table and hold nothing")
    parser.add_argument("--only", default="", help="floods whose name has this text")
    parser.add_argument("--short", action="store_true", help="as a test: for three seconds each, from 200 addresses, no time is judged")
    parser.add_argument("--quiet", action="store_true", help="also without a flood, for comparison")
    arguments = parser.parse_args()
    sandbox.enter_or_skip()
    failures = []
    print(f"{'flood':40} {'from':>4} {'1/s':>6} {'answers':24} {'p50 ms':>7} {'p99 ms':>7} {'worst':>7} {'MiB':>5} {'load':>5}")
    played = 0
    for what in FLOODS:
        if arguments.only not in what.name:
            continue
        for addresses in [200] if arguments.short else ([0] if arguments.quiet else []) + [1, 200]:
            if what.config == "rate" and addresses == 0:
                continue
            with tempfile.TemporaryDirectory() as name:
                answers, memory, rate, alive = run(what, addresses, pathlib.Path(name), SHORT_SECONDS if arguments.short else SECONDS)
            played += 1
            counted = collections.Counter(status for status, _ in answers)
            times = [seconds for status, seconds in answers if status == "200"]
            shown = " ".join(f"{status}:{count}" for status, count in counted.most_common(4))
            waited = 1000 * percentile(times, 0.99)
            print(
                f"{what.name:40} {addresses:4} {rate:6.0f} {shown:24} {1000 * percentile(times, 0.5):7.0f} "
                f"{waited:7.0f} {1000 * max(times, default=float('nan')):7.0f} {memory:5.0f} {os.getloadavg()[0]:5.1f}",
                flush=True,
            )
            served = counted["200"] / max(1, len(answers))
            where = f"{what.name}, {addresses} addresses"
            if not alive:
                failures.append(f"{where}: the exporter has ended")
            if served < 1.0 or not answers:
                failures.append(f"{where}: of {len(answers)} requests of others, {counted['200']} were served ({shown})")
            if waited > MOST_MS and not arguments.short:
                failures.append(f"{where}: one of 100 others waits {waited:.0f} ms or longer, more than {MOST_MS}")
            if memory > MOST_RESIDENT_MIB:
                failures.append(f"{where}: {memory:.0f} MiB resident, more than {MOST_RESIDENT_MIB}")
    if not played:
        failures.append(f"no flood has {arguments.only!r} in its name")
    if failures and not arguments.measure:
        print("\n".join(failures), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
