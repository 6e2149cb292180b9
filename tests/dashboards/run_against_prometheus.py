#!/usr/bin/python3
"""Starts a fake fleet and a real Prometheus with our rules, and checks what only their evaluation can show:

every rule evaluates without error over full label sets; the failing host raises FinwaitSocketsStuck and the healthy one
raises nothing; every panel returns data. Both programs listen on the loopback, keep their data in a temporary folder,
and end with it.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(ROOT / "tests/fixtures"))
import fake_fleet  # noqa: E402  (the path comes first)

DEADLINE = 60  # seconds


def configuration(fleet_port):
    targets = [
        {
            "targets": [f"127.0.0.1:{fleet_port}"],
            "labels": {"instance": f"{host}:10061", "__metrics_path__": f"/{host}/metrics"},
        }
        for host in fake_fleet.HOSTS
    ]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "dashboards" / name) for name in ("rules.yaml", "alerts.yaml")],
        "scrape_configs": [{"job_name": "finwait_exporter", "static_configs": targets}],
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ask(url, path):
    with urllib.request.urlopen(f"{url}/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)["data"]


def wait_for(what, condition):
    """The first true result of `condition`, asked four times a second."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if result := condition():
                return result
        time.sleep(0.25)
    raise SystemExit(f"no {what} within {DEADLINE} s")


def firing(url):
    return [alert["labels"] for alert in ask(url, "alerts")["alerts"] if alert["state"] == "firing"]


def check_rules(url):
    for group in ask(url, "rules")["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                yield f"rule {rule['name']} is {rule['health']}: {rule.get('lastError', 'not evaluated')}"


def check_alerts(url):
    stuck = wait_for("FinwaitSocketsStuck", lambda: [a for a in firing(url) if a["alertname"] == "FinwaitSocketsStuck"])
    expected = [
        {
            "alertname": "FinwaitSocketsStuck",
            "job": "finwait_exporter",
            "instance": "failing:10061",
            "cause": "local_drop",
            "severity": "warning",
        }
    ]
    if stuck != expected:
        yield f"FinwaitSocketsStuck fires as {stuck}, not as {expected}"
    for alert in firing(url):
        if alert.get("instance") == "healthy:10061":
            yield f"a healthy host raises {alert}"


def main():
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fleet = stack.enter_context(
            running([sys.executable, ROOT / "tests/fixtures/fake_fleet.py"], stdout=subprocess.PIPE, text=True)
        )
        (folder / "prometheus.yml").write_text(json.dumps(configuration(int(fleet.stdout.readline()))))  # JSON is YAML
        url = f"http://127.0.0.1:{free_port()}"
        command = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--log.level=warn",
        ]
        stack.enter_context(running(command, stderr=subprocess.STDOUT, stdout=(folder / "log").open("w")))

        problems = list(check_alerts(url))
        problems += check_rules(url)
        for problem in problems:
            print(problem, file=sys.stderr)
        panels = subprocess.run([HERE / "query_panels.py", url, "--seconds=10", "--rate-interval=4s"], check=False)
        return 1 if problems or panels.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
