#!/usr/bin/python3
"""A fleet for one Prometheus: serves the exposition of as many hosts as asked for, has a real Prometheus scrape them all
with our rules and alerts loaded, and prints what that costs as Markdown. docs/scale.md keeps a run.

What each host answers is the real exporter's own exposition, of one look at this machine, with each number set in motion:
counters rise at a rate of the host's own, gauges wander, states and settings stay. One host in a hundred fails: it has stuck
sockets and more of them all the time, so that alerts have something to do. One more in a hundred cannot tell its score.
"""

import argparse
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRAPE_INTERVAL = 15
RULES_INTERVAL = 15
# Gauges that are settings, times or flags: they stay as they are.
STEADY = ("_sysctl_", "_timestamp_", "_info", "_limit", "_active", "_path_verdict", "_success", "_interval_", "process_start",
          "_buckets", "_max_", "_risk_stage")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, timeout=30):
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return response.read().decode()


def wait_for(what, url, process, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            sys.exit(f"{what} ended with {process.returncode}")
        try:
            get(url, 5)
            return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"{what} does not answer at {url}")


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def real_exposition(program):
    """What the program itself says of this machine, once all its collectors have looked."""
    port = free_port()
    exporter = subprocess.Popen(
        [program, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stdout=subprocess.DEVNULL
    )
    try:
        wait_for("the exporter", f"http://127.0.0.1:{port}/readyz", exporter)
        return get(f"http://127.0.0.1:{port}/metrics")
    finally:
        stop(exporter)


class Fleet:
    """The hosts, all made of one exposition."""

    def __init__(self, exposition, hosts):
        self.hosts = hosts
        self.started = time.time()
        self.lines = []  # (text before the value, value, "counter", "gauge" or "" where it stays; text after)
        self.series = 0
        kinds = {}
        for line in exposition.splitlines():
            if line.startswith("#") or not line:
                if line.startswith("# TYPE "):
                    _, _, name, kind = line.split(" ")
                    kinds[name] = kind
                self.lines.append((line, 0.0, "text"))
                continue
            series, value = line.rsplit(" ", 1)
            name = series.split("{")[0]
            steady = any(part in name for part in STEADY) or name.startswith("process_")
            kind = "" if steady else kinds.get(name, "")
            self.series += 1
            self.lines.append((series + " ", float(value), kind))

    def fails(self, host):
        return host % 100 == 7

    def cannot_tell(self, host):
        return host % 100 == 9

    def exposition(self, host):
        age = time.time() - self.started
        chance = random.Random(host)
        now = random.Random()
        out = []
        failing = self.fails(host)
        for text, value, kind in self.lines:
            if kind == "text":
                out.append(text)
                continue
            own = chance.random()
            if text.startswith(("finwait_risk_stage", "finwait_risk_score")) and self.cannot_tell(host):
                continue
            if kind == "counter" and "_failures_" not in text:
                value = int(value + own * 20 * age) if value > 0 or own > 0.7 else value
            elif kind == "gauge":
                value = value * (0.8 + 0.4 * own) * (1 + 0.05 * now.random()) if value else value
                value = round(value) if "seconds" not in text and "score" not in text and "factor" not in text else value
            if text.startswith("finwait_tcp_sockets_stuck_total") or text.startswith("finwait_tcp_stuck_sockets"):
                value = 0
                if failing and 'state="fin_wait_1"' in text and 'cause="local_drop"' in text:
                    value = int(3 + age / 20) if "_total" in text else 3
            elif text.startswith("finwait_risk_stage"):
                value = int(f'stage="{"failing" if failing else "none"}"' in text)
            elif text.startswith("finwait_risk_score"):
                value = 80 if failing else 0
            elif text.startswith("process_start_time_seconds"):
                value = self.started - 3600 - host
            elif "_timestamp_" in text and "last_success" in text:
                value = time.time() - 5 * own
            out.append(f"{text}{value}")
        return ("\n".join(out) + "\n").encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # the name is BaseHTTPRequestHandler's
        body = self.server.fleet.exposition(int(self.path.split("/")[2]))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 2048


def serve(fleet, port):
    server = Server(("127.0.0.1", port), Handler)
    server.fleet = fleet
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def write_configuration(folder, hosts, port):
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {"__metrics_path__": f"/host/{host}/metrics", "instance": f"host-{host:05}:10061"},
        }
        for host in range(hosts)
    ]
    (folder / "targets.json").write_text(json.dumps(targets))
    for name in ("rules.yaml", "alerts.yaml"):
        shutil.copy(ROOT / "dashboards" / name, folder)
    configuration = {
        "global": {"scrape_interval": f"{SCRAPE_INTERVAL}s", "evaluation_interval": f"{RULES_INTERVAL}s"},
        "rule_files": ["rules.yaml", "alerts.yaml"],
        "scrape_configs": [{"job_name": "finwait-exporter", "file_sd_configs": [{"files": ["targets.json"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML


class Prometheus:
    def __init__(self, folder):
        self.port = free_port()
        self.log = open(folder / "prometheus.log", "w")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stderr=self.log,
        )
        self.url = f"http://127.0.0.1:{self.port}"
        wait_for("prometheus", self.url + "/-/ready", self.process)

    def values(self, expr):
        query = urllib.parse.urlencode({"query": expr})
        result = json.loads(get(f"{self.url}/api/v1/query?{query}", 120))["data"]["result"]
        return [float(one["value"][1]) for one in result]

    def value(self, expr):
        found = self.values(expr)
        return found[0] if found else float("nan")

    def own(self, name):
        """A metric of its own, read where nobody scrapes it: summed over its label sets."""
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in get(self.url + "/metrics").splitlines()
            if line.startswith(name + " ") or line.startswith(name + "{")
        )

    def groups(self):
        return json.loads(get(self.url + "/api/v1/rules", 60))["data"]["groups"]

    def targets(self):
        return json.loads(get(self.url + "/api/v1/targets?state=active", 60))["data"]["activeTargets"]

    def memory(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What a dashboard and an on-call person ask of the whole fleet, from the recorded series and from the raw ones.
FLEET_QUERIES = {
    "hosts by stage, recorded": "count by (stage) (finwait_risk_stage == 1)",
    "worst stage, recorded": "max(instance:finwait_risk_stage:rank)",
    "sockets that got stuck in 15 minutes, recorded": "sum(instance_cause:finwait_tcp_sockets_stuck:increase15m)",
    "the same from raw series": "sum(increase(finwait_tcp_sockets_stuck_total[15m]))",
}


def measure(prometheus, fleet, seconds):
    # The first round finds every target new; what counts is the steady state after it.
    time.sleep(2 * SCRAPE_INTERVAL)
    cpu, since = prometheus.cpu(), time.monotonic()
    evaluations = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(RULES_INTERVAL)
        for group in prometheus.groups():
            evaluations.setdefault(group["name"], []).append(float(group["evaluationTime"]))
    cpu = (prometheus.cpu() - cpu) / (time.monotonic() - since)
    window = int(seconds)
    up = prometheus.values(f"min_over_time(up[{window}s])")
    expected = window / SCRAPE_INTERVAL
    scrapes = prometheus.values(f"count_over_time(up[{window}s])")
    series = prometheus.own("prometheus_tsdb_head_series")
    memory = prometheus.memory()
    durations = sorted(target["lastScrapeDuration"] for target in prometheus.targets())
    alerts = prometheus.values('count by (alertname) (ALERTS{alertstate="firing"})')
    rows = [
        ("hosts", fleet.hosts),
        ("series a host, as scraped", f"{prometheus.value('max(scrape_samples_scraped)'):.0f}"),
        ("hosts with every scrape successful", f"{sum(one == 1 for one in up)} of {len(up)}"),
        ("scrapes of a host, of those due", f"{min(scrapes):.0f} to {max(scrapes):.0f} of {expected:.0f}"),
        ("scrape, wall ms, median and p99", f"{1e3 * statistics.median(durations):.1f}, "
                                           f"{1e3 * durations[int(0.99 * (len(durations) - 1))]:.1f}"),
        ("series in the head, recorded ones and alerts included", f"{series:.0f}"),
        ("Prometheus, resident memory, MB", f"{memory / 1e6:.0f}"),
        ("of that a host, KB", f"{memory / 1e3 / fleet.hosts:.0f}"),
        ("Prometheus, CPU, share of a core", f"{cpu:.2f}"),
        ("kinds of alerts firing, and alerts", f"{len(alerts)}, {sum(alerts):.0f}"),
        ("rule evaluations that failed", f"{prometheus.own('prometheus_rule_evaluation_failures_total'):.0f}"),
        ("rule iterations missed", f"{prometheus.own('prometheus_rule_group_iterations_missed_total'):.0f}"),
    ]
    print("| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\n| rule group | evaluation, ms, median (worst) of {RULES_INTERVAL} s |\n|---|---|")
    for name, times in evaluations.items():
        print(f"| {name} | {1e3 * statistics.median(times):.0f} ({1e3 * max(times):.0f}) |")
    print("\n| query over the fleet | wall ms |\n|---|---|")
    for name, expr in FLEET_QUERIES.items():
        times = []
        for _ in range(5):
            start = time.monotonic()
            prometheus.values(expr)
            times.append(1e3 * (time.monotonic() - start))
        print(f"| {name} | {statistics.median(times):.0f} |")
    good = len(up) == fleet.hosts and all(one == 1 for one in up)
    slow = [name for name, times in evaluations.items() if max(times) > RULES_INTERVAL]
    failed = prometheus.own("prometheus_rule_evaluation_failures_total")
    missed = prometheus.own("prometheus_rule_group_iterations_missed_total")
    return 0 if good and not slow and failed == 0 and missed == 0 and len(alerts) > 0 else 1


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--hosts", type=int, default=1000)
    arguments.add_argument("--seconds", type=int, default=300, help="of the steady state that is measured")
    arguments.add_argument("--program", default=str(ROOT / "build/finwait_exporter"))
    options = arguments.parse_args()
    if options.hosts < 1 or options.seconds < 4 * SCRAPE_INTERVAL:
        arguments.error(f"at least one host and {4 * SCRAPE_INTERVAL} seconds are needed")
    fleet = Fleet(real_exposition(options.program), options.hosts)
    with tempfile.TemporaryDirectory(prefix="finwait_fleet_") as name:
        folder = pathlib.Path(name)
        server = serve(fleet, 0)
        write_configuration(folder, options.hosts, server.server_address[1])
        prometheus = Prometheus(folder)
        try:
            return measure(prometheus, fleet, options.seconds)
        finally:
            stop(prometheus.process)
            prometheus.log.close()


if __name__ == "__main__":
    sys.exit(main())
