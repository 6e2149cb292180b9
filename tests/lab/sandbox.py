"""A network of a script's own: two hosts on a wire, for the Python tests and for scripts/demo.sh.

enter() runs the calling script again inside new network, process, mount and host-name namespaces. The kernel ends every
process in them and forgets their networks and files as soon as that script is gone, however it ends: nothing is left
behind. Inside, this host is 192.0.2.1 and 2001:db8::1, the other one 192.0.2.2 and 2001:db8::2, and temporary files are
in memory. It needs root, or a kernel that lets ordinary users make user namespaces.
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

_INSIDE = "FINWAIT_SANDBOX"
_PEER_NAMESPACE = "/run/netns/peer"
_TEMPORARY = "/run/tmp"


class Refused(Exception):
    """The sandbox cannot be made here; the message says why and what to do."""


def enter(pass_fds=()):
    """Returns inside. Outside, replaces this process; `pass_fds` stay open."""
    if os.environ.get(_INSIDE) != "1":
        command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts"]
        if os.geteuid() != 0:
            command.append("--map-root-user")
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
            raise Refused(
                "This makes network namespaces of its own, which takes root, or a kernel that lets ordinary users make "
                "user namespaces (sysctl kernel.unprivileged_userns_clone=1): run it as root."
            )
        for descriptor in pass_fds:
            os.set_inheritable(descriptor, True)
        os.environ[_INSIDE] = "1"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])
    # The first process of a process namespace ignores what it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _make_network()


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
        nsenter --net={_PEER_NAMESPACE} sh -ec '
          ip link set lo up
          ip address add {PEER}/24 dev veth0
          ip address add 2001:db8::2/64 dev veth0 nodad
          ip link set veth0 up'
        """
    )
    os.environ["TMPDIR"] = tempfile.tempdir = _TEMPORARY


def shell(script):
    """Runs a script on this host; RuntimeError with what it said where it fails. Returns what it printed."""
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{script.strip()}: {done.stderr.strip()}")
    return done.stdout


def sysctl(name, value):
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
    """A program for as long as the block runs; ended by SIGTERM. `where`: "peer" for the other host."""
    if where == "peer":
        command = ["nsenter", f"--net={_PEER_NAMESPACE}", *command]
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
        if process.stdout:
            process.stdout.close()


@contextlib.contextmanager
def exporter(*flags, where=None, before=(), ready="/readyz"):
    """The program under test, serving on port 10061 of this host or the other; yields its address once `ready` answers
    200. `before`: a command to start it through."""
    url = f"http://{PEER if where == 'peer' else '127.0.0.1'}:10061"
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        with running([*before, PROGRAM, *flags], where=where, log=log.name) as process:

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
time.sleep(86400)
"""
_SERVER = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])), backlog=1024)
print("listening", flush=True)
held = []
while True:
    held.append(listener.accept()[0])
"""


@contextlib.contextmanager
def peer_listening(port):
    """A service on the other host, which holds every connection open and says nothing."""
    with running([sys.executable, "-c", _SERVER, port], where="peer", stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process


@contextlib.contextmanager
def connections(number, port, keepalive=0, reset=False):
    """A process on this host with idle connections to the other; kill() it to close them all at once. `keepalive`: in
    seconds, 0 for none. `reset`: they close by a RST."""
    arguments = [PEER, port, number, keepalive, int(reset)]
    with running([sys.executable, "-c", _CLIENT, *arguments], stdout=subprocess.PIPE) as process:
        if not process.stdout.readline():
            raise RuntimeError(f"cannot connect to {PEER}:{port}")
        yield process


def set_host_name(name):
    socket.sethostname(name)
