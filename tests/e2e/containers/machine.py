"""What the tests of containers share: a machine whose peers are other machines, and what its exporter says."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "lab"))
import sandbox  # noqa: E402  (the path comes first)

NUMBER = 12
FLAGS = ("--namespaces=observe", "--sampling.interval=1s", "--sampling.cpu-budget=0.5", "--web.listen-address=127.0.0.1:10061")
PORT = 8080


def at_risk(series, fate):
    return series.get(f'finwait_tcp_at_risk_sockets{{fate="{fate}"}}')


def stuck(series, cause):
    return sum(
        value
        for name, value in series.items()
        if name.startswith("finwait_tcp_stuck_sockets{") and f'cause="{cause}"' in name
    )


def owners(series, metric):
    """{(kind, name): number} of the owners that are named."""
    found = {}
    for name, value in series.items():
        if name.startswith(f"finwait_{metric}{{"):
            labels = dict(part.split("=", 1) for part in name[name.index("{") + 1 : -1].split(","))
            labels = {key: text.strip('"') for key, text in labels.items()}
            found[(labels["owner_kind"], labels["owner_name"])] = value
    return found


def forget():
    """The host's entries are gone, as after the timeout."""
    sandbox.shell("conntrack -F 2>/dev/null || true")


def check(*flags, before=()):
    command = sandbox.on_host(None, [*before, sandbox.PROGRAM, "check", "--format=json", *flags])
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


_MACHINES = []  # they end with this process, as all in the sandbox does


def enter_a_machine_of_its_own():
    """From now on all hosts but "peer" are in a PID namespace of their own: a real peer is another machine, whose
    processes no /proc here shows."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "sleep", "infinity"]
    outside = subprocess.Popen(command)
    _MACHINES.append(outside)
    sandbox.wait_for("process", lambda: pathlib.Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text())
    inside = pathlib.Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()[0]
    sandbox.wait_for("procfs", lambda: os.path.exists(f"/proc/{inside}/root/proc/1/comm"))
    on_host = sandbox.on_host

    def on_machine(where, command):
        enter = ["nsenter", "--target", inside, "--pid", "--mount", "--root", "setpriv", "--pdeathsig", "KILL"]
        return [*([] if where == "peer" else enter), *on_host(where, command)]

    sandbox.on_host = on_machine


def wait(what, condition, seconds=40):
    """The first scrape of which `condition` is true; where none comes, an AssertionError with what there was."""
    try:
        return sandbox.wait_for(what, lambda: condition(sandbox.metrics()), seconds)
    except RuntimeError as error:
        told = ("at_risk", "stuck", "namespaces", "owner", "success")
        shown = {name: value for name, value in sandbox.metrics().items() if value and any(word in name for word in told)}
        raise AssertionError(f"{error}; {json.dumps(shown, indent=1)}") from error
