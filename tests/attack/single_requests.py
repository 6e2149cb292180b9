#!/usr/bin/python3
"""Single requests that servers have fallen for: each gets its one answer or refusal, and nothing else happens.

On every connection there is at most one answer to what was sent at once (a second one would be smuggled or pipelined),
the exporter lives on, answers others, and its memory stays flat. Each row is one attack: its name, the bytes, and the
statuses that are right; 0 is an end without an answer.
"""

import collections
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import sandbox  # noqa: E402  (the path comes first)

PORT = 10061
MOST_GROWTH_MIB = 6

Attack = collections.namedtuple("Attack", "name data statuses")
H = "Host: h\r\n"


def get(fields="", target="/healthz", line_end="\r\n"):
    return f"GET {target} HTTP/1.1\r\n{H}{fields}{line_end}"


SMUGGLED = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"

ATTACKS = [
    # Framing: whoever stands in front may count differently.
    Attack("CL and TE", get("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\nG", {413}),
    Attack("TE and CL", get("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + "5c\r\n" + SMUGGLED, {413}),
    Attack("TE with a blank before the colon", get("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n" + SMUGGLED, {400}),
    Attack("TE identity", get("Transfer-Encoding: identity\r\n") + SMUGGLED, {413}),
    Attack("TE of an unknown coding", get("Transfer-Encoding: xchunked\r\n") + SMUGGLED, {413}),
    Attack("TE behind a tab", get("Transfer-Encoding:\tchunked\r\n") + SMUGGLED, {413}),
    Attack("CL twice, alike", get("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello", {413}),
    Attack("CL twice, different", get("Content-Length: 0\r\nContent-Length: 44\r\n") + SMUGGLED, {413}),
    Attack("CL as a list", get("Content-Length: 0, 44\r\n") + SMUGGLED, {400}),
    Attack("CL with a plus", get("Content-Length: +44\r\n") + SMUGGLED, {400}),
    Attack("CL with a minus", get("Content-Length: -1\r\n"), {400}),
    Attack("CL in hexadecimal", get("Content-Length: 0x2c\r\n") + SMUGGLED, {400}),
    Attack("CL beyond 64 bits", get("Content-Length: 99999999999999999999999\r\n"), {413}),
    Attack("a body with GET", get("Content-Length: 5\r\n") + "hello", {413}),
    Attack("pipelined", get() + SMUGGLED, {200}),
    Attack("pipelined, fifty of them", get() * 50, {200}),
    Attack("an Expect", get("Expect: 100-continue\r\n"), {200}),
    Attack("an unknown Expect", get("Expect: the-unexpected\r\n"), {200}),
    Attack("an Upgrade to h2c", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), {200}),
    Attack("an Upgrade to a websocket", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), {200}),
    # Methods and versions.
    Attack("POST", f"POST /metrics HTTP/1.1\r\n{H}Content-Length: 5\r\n\r\nhello", {405}),
    Attack("CONNECT", f"CONNECT 192.0.2.1:25 HTTP/1.1\r\n{H}\r\n", {405}),
    Attack("TRACE", f"TRACE /metrics HTTP/1.1\r\n{H}\r\n", {405}),
    Attack("OPTIONS of all", f"OPTIONS * HTTP/1.1\r\n{H}\r\n", {405}),
    Attack("a method in lower case", f"get /healthz HTTP/1.1\r\n{H}\r\n", {405}),
    Attack("HTTP/0.9", "GET /healthz\r\n", {400}),
    Attack("HTTP/1.9", f"GET /healthz HTTP/1.9\r\n{H}\r\n", {200}),
    Attack("HTTP/3.0", f"GET /healthz HTTP/3.0\r\n{H}\r\n", {505}),
    Attack("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}),
    Attack("a PROXY line", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(), {400}),
    Attack("a TLS hello to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), {400}),
    # Targets.
    Attack("the absolute form", f"GET http://h/healthz HTTP/1.1\r\n{H}\r\n", {200}),
    Attack("the absolute form with a user", f"GET http://u:p@h/healthz HTTP/1.1\r\n{H}\r\n", {200}),
    Attack("the absolute form in upper case", f"GET HTTP://h/healthz HTTP/1.1\r\n{H}\r\n", {200, 400}),
    Attack("another scheme", f"GET file:///etc/passwd HTTP/1.1\r\n{H}\r\n", {400}),
    Attack("an asterisk", f"GET * HTTP/1.1\r\n{H}\r\n", {400}),
    Attack("a path without a slash", f"GET metrics HTTP/1.1\r\n{H}\r\n", {400}),
    Attack("dots", get(target="/../../etc/passwd"), {404}),
    Attack("encoded dots", get(target="/%2e%2e/%2e%2e/etc/passwd"), {404}),
    Attack("two slashes", get(target="//healthz"), {404}),
    Attack("a broken escape", get(target="/%zz"), {400}),
    Attack("an encoded NUL", get(target="/healthz%00.html"), {404}),
    Attack("CR LF encoded in the path", get(target="/healthz%0d%0aX-Evil:%20yes"), {404}),
    Attack("CR LF encoded in the query", get(target="/health?fail-on=%0d%0aX-Evil:%20yes"), {400}),
    Attack("a script in the query", get(target="/health?fail-on=<script>alert(1)</script>"), {400}),
    Attack("bytes above 127 in the target", f"GET /\xc3\xbc HTTP/1.1\r\n{H}\r\n".encode("latin-1"), {400}),
    Attack("a target of 7.9 kB", get(target="/healthz?" + "a" * 7900), {200}),
    Attack("a target of 9 kB", get(target="/" + "a" * 9000), {414}),
    Attack("2,000 parameters", get(target="/healthz?" + "&".join(f"a{i}" for i in range(1500))), {200, 414}),
    # Bytes.
    Attack("a NUL in a field", get("X: a\0b\r\n"), {400}),
    Attack("a bare CR in a field", get("X: a\rX-Evil: yes\r\n"), {400}),
    Attack("bare LFs", "GET /healthz HTTP/1.1\nHost: h\n\n", {400}),
    Attack("CR CR LF", "GET /healthz HTTP/1.1\r\r\nHost: h\r\r\n\r\r\n", {400}),
    Attack("two blanks in the request line", f"GET  /healthz HTTP/1.1\r\n{H}\r\n", {400}),
    Attack("a tab in the request line", f"GET\t/healthz HTTP/1.1\r\n{H}\r\n", {400}),
    Attack("a folded field", get("X: a\r\n b\r\n"), {400}),
    Attack("an empty line first", "\r\n" + get(), {200}),
    Attack("two empty lines first", "\r\n\r\n" + get(), {400}),
    Attack("a terminal's escape in a field", get("X: \x1b[2J\r\n"), {400}),
    # Fields.
    Attack("no Host", "GET /healthz HTTP/1.1\r\n\r\n", {400}),
    Attack("Host twice", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    Attack("100 fields", get("".join(f"X{i}: a\r\n" for i in range(99))), {200}),
    Attack("101 fields", get("".join(f"X{i}: a\r\n" for i in range(100))), {431}),
    Attack("a field of 15 kB", get("X: " + "a" * 15_000 + "\r\n"), {200}),
    Attack("a field of 10 MB", get("X: " + "a" * 10_000_000 + "\r\n"), {431, 0}),
    Attack("an Accept of 1,000 elements", get("Accept: " + ",".join(f"a/b{i};q=0.{i % 10}" for i in range(900)) + "\r\n", "/metrics"), {200}),
    Attack("3,000 ranges", get("Range: bytes=" + ",".join(f"{i}-{i}" for i in range(1200)) + "\r\n", "/metrics"), {200}),
    Attack("a range that is none", get("Range: bytes=9-1\r\n", "/metrics"), {200}),
    Attack("an encoded CR LF in Accept", get("Accept: %0d%0aX-Evil: yes\r\n", "/metrics"), {200}),
]


def converse(attack):
    """Sends it whole and returns all that comes back."""
    data = attack.data if isinstance(attack.data, bytes) else attack.data.encode("latin-1")
    client = socket.create_connection(("127.0.0.1", PORT), timeout=5)
    received = b""
    try:
        try:
            client.sendall(data)
        except OSError:
            pass  # cut off while sending
        client.shutdown(socket.SHUT_WR)
        while True:
            more = client.recv(65536)
            if not more:
                break
            received += more
    except OSError:
        pass
    finally:
        client.close()
    return received


def byte_by_byte():
    client = socket.create_connection(("127.0.0.1", PORT), timeout=5)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in get("Connection: close\r\n").encode():
        client.sendall(bytes([byte]))
    received = client.recv(65536)
    client.close()
    return received


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def check(name, received, statuses, failures):
    answers = re.findall(rb"^HTTP/1\.1 (\d{3})", received, re.MULTILINE)
    status = int(answers[0]) if answers else 0
    if len(answers) > 1 or status not in statuses:
        failures.append(f"{name}: answers {[int(one) for one in answers]}, right is one of {sorted(statuses)}")
    if b"X-Evil: yes" in received.partition(b"\r\n\r\n")[0]:
        failures.append(f"{name}: it has put a field into the answer's head")


def main():
    sandbox.enter_or_skip()
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        with open(log, "wb") as out:
            program = subprocess.Popen([str(sandbox.PROGRAM), f"--web.listen-address=127.0.0.1:{PORT}"], stderr=out)
        for _ in range(200):
            try:
                if b" 200 " in converse(Attack("", get(target="/readyz"), {200})):
                    break
            except OSError:
                pass
            time.sleep(0.05)
        for attack in ATTACKS:  # what every one of them needs of memory is there afterwards
            converse(attack)
        before = resident_mib(program.pid)
        for _ in range(5):
            for attack in ATTACKS:
                check(attack.name, converse(attack), attack.statuses, failures)
                if failures:
                    break
            check("byte by byte", byte_by_byte(), {200}, failures)
        for attack in ATTACKS:
            check(attack.name, converse(attack), attack.statuses, failures)
        growth = resident_mib(program.pid) - before
        if growth > MOST_GROWTH_MIB:
            failures.append(f"memory grew by {growth:.1f} MiB")
        if program.poll() is not None:
            failures.append(f"the exporter has ended: {log.read_text()}")
        else:
            check("others afterwards", converse(Attack("", get(), {200})), {200}, failures)
            program.terminate()
            if program.wait(10) != 0:
                failures.append(f"it ended with {program.returncode}")
        refused = [line for line in log.read_text().splitlines() if "refused a system call" in line]
        failures += refused
    names = [attack.name for attack in ATTACKS] + ["byte by byte"]
    held = [name for name in names if not any(failure.startswith(f"{name}: ") for failure in failures)]
    print(f"held: {len(held)} of {len(names)}")
    if failures:
        print("\n".join(dict.fromkeys(failures)), file=sys.stderr)
        sys.exit(1)
    print(f"{len(ATTACKS) + 1} single requests: one answer or refusal each; memory grew by {growth:.1f} MiB")


if __name__ == "__main__":
    main()
