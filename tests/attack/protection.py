#!/usr/bin/python3
"""Attacks on what stands before the service: TLS, passwords, host names, limits.

What a client may not negotiate, what the work of a refusal tells, whose names are answered, and who may be kept out.
"""

import base64
import http.client
import pathlib
import socket
import ssl
import statistics
import subprocess
import sys
import warnings

import passwords
from suite import FEW_COLLECTORS, PORT, Program, eventually, need, run

TRIES = 12


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/key",
         "-out", f"{folder}/crt", "-days", "30", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    config = pathlib.Path(folder, "web.yml")
    config.write_text("tls_server_config:\n  cert_file: crt\n  key_file: key\n")
    return [f"--web.config.file={config}"]


def context(**settings):
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def connect(tls, name=None, session=None):
    client = tls.wrap_socket(socket.create_connection(("127.0.0.1", PORT), timeout=10), server_hostname=name, session=session)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    answer = client.recv(4096)
    return client, answer


def serves_tls():
    try:
        return connect(context())[1].startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def what_tls_may_not_do_is_refused(folder):
    with Program(folder, make_certificate(folder)) as program:
        need(eventually(serves_tls), program.log())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old = context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        try:
            connect(old)
            need(False, "TLS 1.1 is spoken")
        except OSError:
            pass

        only_h2 = context()
        only_h2.set_alpn_protocols(["h2"])
        try:
            client, _ = connect(only_h2)
            need(client.selected_alpn_protocol() is None, "HTTP/2 is agreed upon")
        except OSError:
            pass

        certificates = set()
        for name in (None, "localhost", "evil.example", "x" * 60 + ".example"):
            client, _ = connect(context(), name)
            certificates.add(client.getpeercert(binary_form=True))
        need(len(certificates) == 1, "the name that is asked for chooses a certificate")

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            tls = context(minimum_version=version, maximum_version=version)
            first, _ = connect(tls)
            need(first.compression() is None, "TLS compresses")
            if first.session:
                second, _ = connect(tls, session=first.session)
                need(not second.session_reused, f"a session is resumed, with {version.name}")

        # "R" on a line of its own has s_client renegotiate, which only TLS 1.2 has.
        renegotiating = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", "-tls1_2"],
            input=b"R\n", capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        said = renegotiating.stdout + renegotiating.stderr
        need(b"RENEGOTIATING" in said, f"openssl does not try to renegotiate: {said[-300:]}")
        need(b"no renegotiation" in said or renegotiating.returncode != 0, f"it renegotiates: {said[-300:]}")
        need(serves_tls(), "it does not serve any more")
        need(program.ends_well(), "SIGTERM does not end it well")


def cpu_nanoseconds(program):
    """Of all its threads."""
    stats = (path for pid in program.pids() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(path.read_text().split()[0]) for path in stats)


def ask_as(user, password):
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    client = socket.create_connection(("127.0.0.1", PORT), timeout=30)
    client.sendall(f"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Basic {login}\r\n\r\n".encode())
    answer = client.recv(4096)[9:12]
    while client.recv(4096):
        pass
    client.close()
    return answer


def who_is_a_user_is_not_told_by_the_work_of_a_refusal(folder):
    """Work and not time: the machine is busy. Sixteen times the work, or none, is what an unknown user could cost."""
    config = pathlib.Path(folder, "web.yml")
    config.write_text(f"basic_auth_users:\n  known: {passwords.bcrypt('secret', 10)}\n")
    flags = [f"--web.config.file={config}", *FEW_COLLECTORS]
    with Program(folder, flags) as program:
        need(eventually(lambda: program.process.poll() is not None or ask_as_or_nothing() == b"200"), program.log())
        work = {"known": [], "unknown": []}
        for turn in range(TRIES):
            for user, spent in work.items():
                before = cpu_nanoseconds(program)
                need(ask_as(user, f"wrong{turn}") == b"401", f"{user} is let in")
                spent.append(cpu_nanoseconds(program) - before)
        known, unknown = (statistics.median(spent) for spent in work.values())
        print(f"        a known user {known / 1e6:.1f} ms of CPU, an unknown one {unknown / 1e6:.1f} ms")
        need(0.5 < unknown / known < 2, f"an unknown user is {unknown / known:.2f} times the work of a known one")
        need(program.ends_well(), "SIGTERM does not end it well")


def ask_as_or_nothing():
    try:
        return ask_as("known", "secret")
    except OSError:
        return b""


def ask_for(host, path="/api/v1/report", target=""):
    """The status of a request for that host, from an address of its own."""
    client = socket.create_connection(("127.0.0.1", PORT), timeout=10, source_address=("127.0.0.9", 0))
    client.sendall(f"GET {target or path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = client.recv(4096)
    client.close()
    return answer[9:12].decode()


def only_this_hosts_own_names_are_answered(folder):
    """With details, which a web page must not read by a name of its own (DNS rebinding)."""
    for name, text in (("hosts", "127.0.1.1 node1.example.org node1\n"), ("resolv.conf", "search lab.example\n")):
        pathlib.Path(folder, name).write_text(text)
        subprocess.run(["mount", "--bind", f"{folder}/{name}", f"/etc/{name}"], check=True)
    subprocess.run(["hostname", "node1"], check=True)
    with Program(folder, ["--report.details", *FEW_COLLECTORS]) as program:
        need(program.serves(), program.log())
        for name in ("node1", "NODE1:10061", "node1.example.org", "node1.lab.example.", "localhost", "127.0.0.1", "[::1]:1"):
            need(ask_for(name) == "200", f"{name} is not answered")
        # Spellings that a browser, a resolver or a lax parser might take for one of these.
        for name in ("127.0.0.1.evil.example", "[::1].evil.example", "localhost@evil.example", "evil.example#localhost",
                     "evil.example:localhost", "2130706433", "0x7f.1", "127.1", "999.1.1.1", "1e100.net", "[::1", "evil.example."):  # fmt: skip
            need(ask_for(name) == "421", f"{name} is answered")
        for name in ("evil.example", "node1.evil.example", "example.org", "node1.example.org.evil.example"):
            need(ask_for(name) == "421", f"{name} is answered")
            need(ask_for("node1", target=f"http://{name}/api/v1/report") == "421", f"{name} is answered as a target")
            need(ask_for(name, "/health") == "421" and ask_for(name, "/healthz") == "200", "probes")
    for name in ("hosts", "resolv.conf"):
        subprocess.run(["umount", f"/etc/{name}"], check=True)


def who_asks_one_after_the_other_is_never_one_too_many(folder):
    with Program(folder, ["--web.max-requests=1", *FEW_COLLECTORS]) as program:
        need(program.serves(), program.log())
        for kept in (False, True):
            client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
            for turn in range(200):
                client.request("GET", "/metrics", headers={} if kept else {"Connection": "close"})
                answer = client.getresponse()
                answer.read()
                need(answer.status == 200, f"request {turn} is answered with {answer.status}")
            client.close()


def probes_are_served_whatever_else_is_held(folder):
    """Also those from the address that holds all that it may have."""
    config = pathlib.Path(folder, "web.yml")
    config.write_text("rate_limit:\n  interval: 1h\n  burst: 1\n")
    with Program(folder, [f"--web.config.file={config}", "--web.max-requests=1", *FEW_COLLECTORS]) as program:
        need(program.serves(), program.log())
        held = []
        for i in range(400):
            client = socket.create_connection(("127.0.0.1", PORT), timeout=10, source_address=(f"127.0.0.{9 + i % 4}", 0))
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
            held.append(client)
        for _ in range(20):
            for path in ("/healthz", "/-/healthy", "/readyz", "/-/ready", "/health"):
                need(ask_for("h", path) not in ("429", ""), f"{path} is refused")
        need(ask_for("h", "/healthz") == "200", "/healthz is not answered")


TESTS = [
    only_this_hosts_own_names_are_answered,
    who_asks_one_after_the_other_is_never_one_too_many,
    probes_are_served_whatever_else_is_held,
    what_tls_may_not_do_is_refused,
    who_is_a_user_is_not_told_by_the_work_of_a_refusal,
]

if __name__ == "__main__":
    run(TESTS, *sys.argv[1:])
