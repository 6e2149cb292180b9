#!/usr/bin/python3
"""The article's failure, live, in two networks of its own: healthy, predicted, stuck, alerted, fixed. Start it by demo.sh.

Everything runs in namespaces that the kernel clears away with this script (tests/lab/sandbox.py). The page is to be seen
from outside: a listening socket that was opened there is handed in.
"""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import sys
import tempfile
import textwrap
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/e2e/alerts"), str(ROOT / "tests/lab")]
import monitoring  # noqa: E402  (the path comes first)
import sandbox as lab  # noqa: E402

HANDED_IN = "FINWAIT_DEMO_SOCKET"
HOST = "192.0.2.1:10061"
TIMEOUT_NAME = "net.netfilter.nf_conntrack_tcp_timeout_established"
IDLE, KEPT_ALIVE = 20, 5
LINGER = 30  # seconds that the page stays when the story is over, for a reader who watches

BOLD, SOFT, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
WIDTH = min(100, shutil.get_terminal_size().columns)


def listen():
    """A socket for the page outside: the exporter's own port, or where that is taken any other."""
    for port in (10061, 0):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise SystemExit("no port is free on 127.0.0.1")


def relay(listener):
    """Passes connections from outside to the exporter, for as long as this process lives."""

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve(client):
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 10061)) as exporter:
            back = threading.Thread(target=pump, args=(exporter, client), daemon=True)
            back.start()
            pump(client, exporter)
            back.join()

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


class Story:
    def __init__(self):
        self.start = time.monotonic()
        self.steps = 0

    def step(self, title, why):
        self.steps += 1
        print(f"\n{BOLD}{self.steps}. {title}{PLAIN}")
        print(textwrap.fill(why, WIDTH, initial_indent="   ", subsequent_indent="   "))
        self.let_read(3)

    def does(self, command):
        print(f"   {SOFT}${PLAIN} {command}")

    def sees(self, what):
        print(f"   {SOFT}{time.monotonic() - self.start:4.0f} s{PLAIN}  {what}")

    def verdict(self):
        """What the exporter says now."""
        verdict = json.loads(lab.get("http://127.0.0.1:10061/health")[1])
        score = "no score" if verdict["score"] is None else f"score {verdict['score']:.0f}"
        self.sees(f"{BOLD}{verdict['stage'] or 'cannot tell'}{PLAIN}, {score}: {verdict['summary']}")

    def alert(self, receiver, name, status, seconds):
        alert = receiver.wait(name, status, seconds)
        words = f". {alert['annotations']['summary']}" if status == "firing" else ""
        self.sees(f"{BOLD}alert {status}{PLAIN} at the webhook: {name}{words}")

    @staticmethod
    def let_read(seconds):
        if sys.stdout.isatty():
            time.sleep(seconds)


def stage_is(name):
    return lab.metrics().get(f'finwait_risk_stage{{stage="{name}"}}') == 1


def would_stick():
    return lab.metrics().get('finwait_tcp_at_risk_sockets{fate="fin_dropped"}')


def stuck():
    return sum(value for series, value in lab.metrics().items() if series.startswith("finwait_tcp_stuck_sockets{"))


def sockets(state, where=""):
    listed = lab.shell(f"{where} ss -Htn state {state} '( sport = 443 or dport = 443 )'")
    return len(listed.splitlines())


def peers_open():
    return sockets("established", "nsenter --net=/run/netns/peer")


def tell(page, enter):
    story = Story()
    folder = pathlib.Path(enter(tempfile.TemporaryDirectory()))
    receiver = enter(monitoring.webhook())
    enter(lab.exporter("--sampling.interval=1s", "--report.details"))
    enter(monitoring.alertmanager(folder))
    enter(monitoring.prometheus(folder, {HOST: HOST}))
    lab.shell("iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
    enter(lab.peer_listening(443))
    client = enter(lab.connections(IDLE, 443))
    enter(lab.connections(KEPT_ALIVE, 443, keepalive=2))

    print(f"{BOLD}The page, live: {page}{PLAIN}   (Ctrl-C ends everything and leaves nothing behind)")
    story.step("Healthy", f"A host with a stateful firewall; a client on it holds {IDLE + KEPT_ALIVE} connections to a service elsewhere.",
    )
    story.verdict()

    story.step("A usual line of hardening", "A rule drops whatever conntrack calls INVALID. Nothing happens yet.")
    rule = "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP"
    story.does(rule)
    lab.shell(rule)
    lab.wait_for("stage latent", lambda: stage_is("latent"))
    story.verdict()

    story.step(
        "The timeout is shortened",
        "Somebody saves memory: conntrack is to forget idle connections after 6 seconds. The client says one more word on "
        f"each connection and then nothing; {KEPT_ALIVE} connections have a keepalive of 2 seconds.",
    )
    story.does(f"sysctl -w {TIMEOUT_NAME}=6")
    lab.sysctl(TIMEOUT_NAME, 6)
    lab.talk(client)
    lab.wait_for("prediction", lambda: would_stick() == IDLE, 60)
    story.verdict()
    story.alert(receiver, "FinwaitTimeoutBelowKeepalive", "firing", 60)
    story.alert(receiver, "FinwaitSocketsAtRisk", "firing", 60)

    story.step("The client is killed", "The kernel sends a FIN for each of its connections, and the rule drops every one.")
    story.does(f"kill -9 {client.pid}")
    client.kill()
    lab.wait_for("stuck sockets", lambda: stuck() == IDLE, 60)
    story.verdict()
    story.sees(
        f"ss: here {sockets('fin-wait-1')} sockets in FIN_WAIT_1 that no process holds; "
        f"the service still believes in {peers_open()} connections"
    )
    story.alert(receiver, "FinwaitSocketsStuck", "firing", 60)

    story.step("Fixed as the page advises", "FINs and RSTs are let out before the rule that drops the rest of INVALID.")
    for flag in ("FIN", "RST"):
        fix = f"iptables -I OUTPUT -p tcp --tcp-flags {flag} {flag} -m conntrack --ctstate INVALID -j ACCEPT"
        story.does(fix)
        lab.shell(fix)
    lab.sysctl(TIMEOUT_NAME, 432000)
    lab.wait_for("end of the stuck sockets", lambda: stuck() == 0, 60)
    lab.wait_for("closed connections at the peer", lambda: peers_open() == KEPT_ALIVE, 60)
    story.sees(f"ss: here {sockets('fin-wait-1')} in FIN_WAIT_1; the service has {peers_open()} connections, as it should")
    story.alert(receiver, "FinwaitSocketsStuck", "resolved", 60)
    story.verdict()
    print("\nThe stage holds for 5 minutes after the last proof, so that nobody misses it. In this demo a second stood for")
    print("a minute of the alerts' own times.")
    linger(page)


def linger(page):
    if sys.stdin.isatty() and sys.stdout.isatty():
        print(f"{page} stays for {LINGER} seconds; Enter ends it sooner.")
        select.select([sys.stdin], [], [], LINGER)


def main():
    if HANDED_IN not in os.environ:
        listener = listen()
        os.environ[HANDED_IN] = str(listener.fileno())
        lab.enter(pass_fds=[listener.fileno()])  # does not return
    listener = socket.socket(fileno=int(os.environ[HANDED_IN]))
    lab.enter()
    threading.Thread(target=relay, args=(listener,), daemon=True).start()
    with contextlib.ExitStack() as stack:
        tell(f"http://127.0.0.1:{listener.getsockname()[1]}/", stack.enter_context)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    try:
        main()
    except KeyboardInterrupt:
        print("\nStopped.")
        sys.exit(128 + signal.SIGINT)
    except (lab.Refused, RuntimeError) as error:
        sys.exit(str(error))
    print("Cleaned up: nothing is left behind.")
