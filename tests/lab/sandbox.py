"""A network of a script's own: two hosts on a wire, and more on request, for the Python tests and for scripts/demo.sh.

enter() runs the calling script again inside new network, process, mount and host-name namespaces. The kernel ends every
process in them and forgets their networks and files as soon as that script is gone, however it ends: nothing is left
behind. Inside, this host is 192.0.2.1 and 2001:db8::1, the other one 192.0.2.2 and 2001:db8::2, and temporary files are
in memory. It needs root.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("FINWAIT_PROGRAM", ROOT / "build/finwait_exporter"))
LOCAL, PEER = "192.0.2.1", "192.0.2.2"
PEER6 = "2001:db8::2"

_INSIDE = "FINWAIT_SANDBOX"
_NAMESPACES = "/run/netns"
# Further hosts hang on a bridge of this host's.
HUB = "198.51.100.1"
_TEMPORARY = "/run/tmp"


class Refused(Exception):
    """The sandbox cannot be made here; the message says why and what to do."""


SKIPPED = 77  # as ctest is told


def enter_or_skip():
    """enter() for a test: where that is refused, says why and ends as skipped."""
    try:
        enter()
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(SKIPPED)


def enter(pass_fds=()):
    """Returns inside. Outside, waits for the inside to end and exits as it did; `pass_fds` are open there, too."""
    if os.environ.get(_INSIDE) != "1":
        _run_inside(pass_fds)
    # The first process of a process namespace ignores what it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _make_network()


def _run_inside(pass_fds):
    if os.geteuid() != 0:
        # An ordinary user could make the namespaces (unshare --map-root-user), and would learn little in them.
        raise Refused(
            "Run this as root: it makes networks of its own, and in those that an ordinary user makes the kernel does not "
            "tell whether there are iptables-legacy tables, so that the exporter cannot judge them."
        )
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts"]
    attempt = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if attempt.returncode != 0:
        raise Refused(f"This makes namespaces of its own, and this system does not let it: {attempt.stderr.strip()}")
    # If this process dies, so does unshare, and with it everything inside.
    inside = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command, sys.executable, *sys.argv],
        env={**os.environ, _INSIDE: "1"},
        pass_fds=pass_fds,
    )
    # unshare ignores SIGTERM while it waits.
    signal.signal(signal.SIGTERM, lambda *_: inside.kill())
    while inside.returncode is None:
        try:
            inside.wait()
        except KeyboardInterrupt:
            _let_end(inside)
    sys.exit(inside.returncode if inside.returncode >= 0 else 128 - inside.returncode)


def _let_end(inside):
    """A Ctrl-C reaches the inside, too, which has ten seconds to end by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        inside.wait(10)
    except subprocess.TimeoutExpired:
        inside.kill()
        inside.wait()


def _make_network():
    shell(
        f"""
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir {_TEMPORARY}
        ip link set lo up
        ip netns add peer
        ip link add veth0 type veth peer name veth0 netns peer
        sysctl -qw net.ipv6.conf.veth0.accept_dad=0
        ip address add {LOCAL}/24 dev veth0
        ip address add 2001:db8::1/64 dev veth0 nodad
        ip link set veth0 up
        nsenter --net={_NAMESPACES}/peer sh -ec '
          ip link set lo up
          ip address add {PEER}/24 dev veth0
          ip address add 2001:db8::2/64 dev veth0 nodad
          ip link set veth0 up'
        """
    )
    os.environ["TMPDIR"] = tempfile.tempdir = _TEMPORARY
    os.environ["XTABLES_LOCKFILE"] = "/proc/self/ns/net"  # as tests/lab/namespace.cc has it


def add_hosts(names):
    """Makes hosts beside the two, on a bridge on which this one is HUB. Returns {name: address}."""
    shell(f"ip link add hub type bridge && ip address add {HUB}/24 dev hub && ip link set hub up")
    addresses = {name: f"198.51.100.{number}" for number, name in enumerate(names, start=10)}
    for number, (name, address) in enumerate(addresses.items()):
        shell(
            f"""
            ip netns add {name}
            ip link add hub{number} type veth peer name eth0 netns {name}
            ip link set hub{number} master hub up
            nsenter --net={_NAMESPACES}/{name} sh -ec '
              ip link set lo up
              ip address add {address}/24 dev eth0
              ip link set eth0 up'
            """
        )
    return addresses


def on_host(where, command):
    """`command` as it runs on another host; None is this one."""
    return ["nsenter", f"--net={_NAMESPACES}/{where}", *command] if where else list(command)


def shell(script, where=None):
    """Runs a script on this host or another; RuntimeError with what it said where it fails. Returns what it printed."""
    command = on_host(where, ["sh", "-euc", script])
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{script.strip()}: {done.stderr.strip()}")
    return done.stdout


def sysctl(name, value, where=None):
    if where:
        shell(f"sysctl -qw {name}={value}", where)
    else:
        pathlib.Path("/proc/sys", *name.split(".")).write_text(str(value))


def wait_for(what, condition, seconds=30):
    """The first true result of `condition`, asked ten times a second; RuntimeError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise RuntimeError(f"no {what} within {seconds} s")
        time.sleep(0.1)


def get(url):
    """(status, body) of a GET; (0, "") where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, ""


@contextlib.contextmanager
def running(command, *, where=None, log=None, **options):
    """A program for as long as the block runs; ended by SIGTERM. `where`: "peer" for the other host, or one more's name."""
    command = on_host(where, command)
    with open(log or os.devnull, "w", encoding="utf-8") as output:
        options = {"stdout": output, "stderr": subprocess.STDOUT, **options}
        process = subprocess.Popen([str(word) for word in command], **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in filter(None, (process.stdin, process.stdout)):
            pipe.close()


@contextlib.contextmanager
def exporter(*flags, where=None, address=None, before=(), ready="/readyz"):
    """The program under test, serving on port 10061 of this host or another; yields its address once `ready` answers
    200. `address`: of a host that add_hosts() made. `before`: a command to start it through."""
    url = f"http://{address or (PEER if where == 'peer' else '127.0.0.1')}:10061"
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        # The hosts of this network are no containers of one another's, although /proc shows them all.
        apart = () if any(flag.startswith("--namespaces=") for flag in flags) else ("--namespaces=none",)
        with running([*before, PROGRAM, *apart, *flags], where=where, log=log.name) as process:

            def answers():
                if process.poll() is not None:
                    raise RuntimeError(f"the exporter ended: {log.read()}")
                return get(url + ready)[0] == 200

            wait_for("answer of the exporter's", answers)
            yield url


def metrics(url="http://127.0.0.1:10061"):
    """{series: value} of one scrape."""
    status, body = get(f"{url}/metrics")
    if status != 200:
        raise RuntimeError(f"/metrics answered {status}")
    lines = (line.rpartition(" ") for line in body.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


# A process that holds connections, so that it can be killed; and the one at the other end, which accepts and waits.
_CLIENT = """
import socket, struct, sys, time
address, port, number, keepalive, reset = sys.argv[1], *map(int, sys.argv[2:])
held = [socket.create_connection((address, port)) for _ in range(number)]
for one in held:
    if keepalive:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, keepalive)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, keepalive)
    if reset:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
print("connected", flush=True)
for line in sys.stdin:
    for one in held:
        one.send(b"x")
time.sleep(86400)
"""
_SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
listener = socket.create_server((sys.argv[2], int(sys.argv[1])), family=family, backlog=1024)
print("listening", flush=True)
held = []
while True:
    held.append(listener.accept()[0])
"""


@contextlib.contextmanager
def peer_listening(port, where="peer", address="0.0.0.0"):
    """A service on the other host (None: on this one), which holds every connection open and says nothing. `address`: "::"
    for IPv6."""
    with running([sys.executable, "-c", _SERVER, port, address], where=where, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process


@contextlib.contextmanager
def connections(number, port, keepalive=0, reset=False, where=None, to=PEER):
    """A process on a host (None: this one) with idle connections to another; kill() it to close them all at once.
    `keepalive`: in seconds, 0 for none. `reset`: they close by a RST. talk() makes each send a byte."""
    arguments = [to, port, number, keepalive, int(reset)]
    command = [sys.executable, "-c", _CLIENT, *arguments]
    with running(command, where=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if not process.stdout.readline():
            raise RuntimeError(f"cannot connect to {to}:{port}")
        yield process


def talk(process):
    """Makes each of `connections` send a byte."""
    process.stdin.write(b"\n")
    process.stdin.flush()


def set_host_name(name):
    socket.sethostname(name)
