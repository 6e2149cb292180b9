#!/usr/bin/python3
"""The Fleet dashboard over 10,000 hosts: asks each query of each panel of a real Prometheus that holds what four shards
of 2,500 hosts record for it, and prints how long each took as Markdown. Exits 1 where a panel has no data, or where one
takes a second or longer. docs/scale.md keeps a run.

Nothing of it is made up but the number of hosts. A few simulated hosts (fleet.py) are scraped by a real Prometheus with our
rules and alerts; what it federates by the example in docs/scale.md is taken twice, a minute apart, and repeated under other
host names. Four addresses serve that as the shards would, with timestamps of the past, until the hours asked for are told.
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

import fleet

sys.path.append(str(fleet.ROOT / "tests" / "dashboards"))
import dashboards  # noqa: E402  (the path comes first)

SHARDS = 4
EXAMPLE = fleet.ROOT / "dashboards" / "prometheus" / "global.yaml"
STEP = 60  # seconds between two samples of a series: how often the global server federates
PANEL_POINTS = 720  # of a line, on a panel of half a page: Grafana's maxDataPoints
MOST_SECONDS = 1.0
AT_ONCE = 12  # moments that one answer tells, so that hours are told in minutes
HOST = re.compile(rb'instance="host-(\d+):10061"')


def matches():
    """What the example federates."""
    return re.findall(r"^\s+- '(\{.*\})'$", EXAMPLE.read_text(), re.MULTILINE)


def federated(url):
    """Lines of a federation, without timestamps."""
    query = urllib.parse.urlencode([("match[]", one) for one in matches()])
    lines = fleet.get(f"{url}/federate?{query}", 60).encode().splitlines()
    return [line.rsplit(b" ", 1)[0] for line in lines if not line.startswith(b"#")]


def recorded(program, hosts, seconds):
    """Two federations of a real Prometheus that scrapes so many simulated hosts and evaluates our rules."""
    simulated = fleet.Fleet(fleet.real_exposition(program), hosts)
    with tempfile.TemporaryDirectory(prefix="finwait_fleet_") as name:
        folder = pathlib.Path(name)
        server = fleet.serve(simulated, 0)
        fleet.write_configuration(folder, hosts, server.server_address[1])
        prometheus = fleet.Prometheus(folder)
        try:
            time.sleep(seconds)
            first = federated(prometheus.url)
            time.sleep(STEP)
            return first, federated(prometheus.url)
        finally:
            fleet.stop(prometheus.process)
            prometheus.log.close()
            server.shutdown()


def repeat(lines, copies, stride):
    """The same of so many times the hosts; what is of no host is told once."""
    for line in lines:
        found = HOST.search(line)
        if not found:
            yield line
            continue
        before, after = line[: found.start(1)], line[found.end(1) :]
        for copy in range(copies):
            yield b"%s%05d%s" % (before, int(found[1]) + copy * stride, after)


class Shards(http.server.BaseHTTPRequestHandler):
    """Each request for /N/federate answers the next moments of shard N."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # the name is BaseHTTPRequestHandler's
        shard = int(self.path.split("/")[1])
        first = self.server.told[shard]
        last = min(first + AT_ONCE, self.server.moments)
        stamps = [(moment, b" %d\n" % (1000 * (self.server.since + moment * STEP))) for moment in range(first, last)]
        lines = self.server.lines[shard]
        body = b"".join(stamp.join(lines[moment % 2]) + stamp for moment, stamp in stamps)
        try:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.server.told[shard] = last
        except OSError:  # it did not come in time, and is asked for again
            self.close_connection = True

    def log_message(self, *_):
        pass


def serve_shards(federations, copies, stride, rounds, since):
    server = fleet.Server(("127.0.0.1", 0), Shards)
    server.since = since
    server.told = [0] * SHARDS
    server.moments = rounds
    server.lines = []
    for shard in range(SHARDS):
        both = []
        for lines in federations:
            everything = list(repeat(lines, copies, stride))
            of_shard = [line for line in everything if (found := HOST.search(line)) and int(found[1]) % SHARDS == shard]
            # Sums of a shard's hosts: each shard says its own, told apart by the label that the example gives it.
            own = b'shard="%d",' % shard
            of_shard += [line.replace(b"{", b"{" + own, 1) for line in everything if not HOST.search(line)]
            both.append(of_shard)
        server.lines.append(both)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def write_global(folder, port, pace):
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"__metrics_path__": f"/{shard}/federate"}} for shard in range(SHARDS)
    ]
    (folder / "targets.json").write_text(json.dumps(targets))
    configuration = {
        "global": {"scrape_interval": f"{pace}s", "scrape_timeout": f"{pace}s"},
        "scrape_configs": [
            {"job_name": "shards", "honor_labels": True, "file_sd_configs": [{"files": ["targets.json"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))


def ask(prometheus, target, expr, now, seconds):
    """(series with data, wall seconds, CPU seconds of Prometheus) of one query, as Grafana would ask."""
    if target.get("instant"):
        path, how = "query", {"time": now}
    else:
        path, how = "query_range", {"start": now - seconds, "end": now, "step": max(STEP, seconds // PANEL_POINTS)}
    query = urllib.parse.urlencode({"query": expr, **how})
    cpu, start = prometheus.cpu(), time.monotonic()
    result = json.loads(fleet.get(f"{prometheus.url}/api/v1/{path}?{query}", 120))["data"]["result"]
    return len(result), time.monotonic() - start, prometheus.cpu() - cpu


def measure(prometheus, now, seconds, rounds):
    """A row for each query; what went wrong."""
    problems = []
    print("| panel | query | series | wall ms, median | worst | CPU ms |\n|---|---|---|---|---|---|")
    for panel in dashboards.panels(dict(dashboards.load())["fleet.json"]):
        for target in panel["targets"]:
            expr = dashboards.substitute(target["expr"], job="finwait-exporter", rate_interval="4m", interval="1m", time_range=f"{seconds}s")
            answers = [ask(prometheus, target, expr, now, seconds) for _ in range(rounds)]
            found, times, cpu = answers[0][0], [one[1] for one in answers], min(one[2] for one in answers)
            where = f"{panel['title']}, {target['refId']}"
            print(f"| {panel['title']} | {target['refId']} | {found} | {1e3 * statistics.median(times):.0f} | "
                  f"{1e3 * max(times):.0f} | {1e3 * cpu:.0f} |", flush=True)  # fmt: skip
            if found == 0:
                problems.append(f"{where}: no data")
            if statistics.median(times) >= MOST_SECONDS:
                problems.append(f"{where}: {statistics.median(times):.2f} s")
    return problems


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--hosts", type=int, default=10000)
    arguments.add_argument("--hours", type=float, default=6)
    arguments.add_argument("--scraped", type=int, default=100, help="hosts that are scraped in truth, and then repeated")
    arguments.add_argument("--warm", type=int, default=100, help="seconds that they are scraped before")
    arguments.add_argument("--rounds", type=int, default=3, help="how often each query is asked")
    arguments.add_argument("--pace", type=int, default=10, help="seconds between two answers of a shard")
    arguments.add_argument("--program", default=str(fleet.ROOT / "build/finwait_exporter"))
    options = arguments.parse_args()
    copies = max(1, options.hosts // options.scraped)
    hosts = copies * options.scraped
    federations = recorded(options.program, options.scraped, options.warm)
    moments = int(options.hours * 3600 / STEP)
    now = int(time.time()) - 60
    server = serve_shards(federations, copies, options.scraped, moments, now - moments * STEP + STEP)
    with tempfile.TemporaryDirectory(prefix="finwait_global_") as name:
        folder = pathlib.Path(name)
        write_global(folder, server.server_address[1], options.pace)
        prometheus = fleet.Prometheus(folder)
        try:
            until = time.monotonic() + 120 + 20 * moments
            while min(server.told) < moments and time.monotonic() < until:
                time.sleep(1)
            time.sleep(2 * options.pace)  # the last ones are still being taken in
            told = min(server.told)
            series = prometheus.own("prometheus_tsdb_head_series")
            problems = [] if told == moments else [f"{told} of {moments} federations were taken in time"]
            size = sum(len(line) + 15 for line in server.lines[0][0])
            print(f"{hosts} hosts, {SHARDS} shards, {told} federations a minute apart; load {os.getloadavg()[0]:.0f}\n")
            print("| what | measured |\n|---|---|")
            print(f"| series in the head of the global server | {series:.0f} |")
            print(f"| of these a host | {series / hosts:.1f} |")
            print(f"| a federation of one shard, MB | {size / 1e6:.1f} |")
            print(f"| its resident memory, MB | {prometheus.memory() / 1e6:.0f} |")
            print(f"| its CPU for one federation of all shards, ms | {1e3 * prometheus.cpu() / told:.0f} |\n")
            problems += measure(prometheus, now, told * STEP, options.rounds)
        finally:
            fleet.stop(prometheus.process)
            prometheus.log.close()
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
