#!/usr/bin/python3
"""Asks a Prometheus every query of every panel, and says which panels have data.

    query_panels.py http://127.0.0.1:9090 [--seconds 900] [--rate-interval 1m] [--interval 1m] [--job RE] [--instance RE]
                    [--healthy] [--namespaced] [--no-witness]

Instant queries are asked at the newest moment, the others over the last --seconds, as Grafana would. A panel has data
when each of its queries returns a series with a value that is a number. Exit 1 if a panel that must have data has none,
2 if Prometheus cannot be asked. With --healthy, panels that are rightly empty while nothing is wrong may be empty; with
--namespaced, queries for what the kernel shows in the host's first network namespace alone; with --no-witness, the
panels of the collector that needs BPF.
"""

import argparse
import json
import math
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import dashboards

EMPTY_WHILE_HEALTHY = {
    ("host.json", "Rules that drop INVALID"): "no such rule",
    ("host.json", "Alerts"): "no alert fires",
    ("host.json", "Last proven failure"): "nothing has failed yet",
}

# Queries that answer only where there is something to say.
MAY_BE_EMPTY = {
    ("host.json", "Conntrack table", "B"): "less than a third of the table is used",
    ("host.json", "Stuck sockets by cause", "B"): "every cause is told",
}

OF_THE_WITNESS = {
    ("exporter.json", "Closing packets that the kernel dropped"),
    ("exporter.json", "FINs dropped that the rules let pass"),
}

ONLY_ON_THE_HOST = {("host.json", "Limits", "C"): "tcp_max_orphans"}


class Prometheus:
    def __init__(self, url, seconds):
        self.url, self.seconds, self.now = url.rstrip("/"), seconds, time.time()

    def ask(self, path, **parameters):
        """The result of one API call; ValueError with Prometheus' own words if it refuses."""
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=30
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from error

    def instant(self, expr):
        return [[series["value"]] for series in self.ask("query", query=expr, time=self.now)["result"]]

    def range(self, expr):
        step = max(1, self.seconds // 60)
        result = self.ask("query_range", query=expr, start=self.now - self.seconds, end=self.now, step=step)["result"]
        return [series["values"] for series in result]


def series_with_data(prometheus, target, expr):
    """How many series have at least one value that is a number."""
    answer = prometheus.instant(expr) if target.get("instant") else prometheus.range(expr)
    return sum(any(not math.isnan(float(value)) for _, value in values) for values in answer)


def panel_report(prometheus, panel, variables):
    """[(refId, series with data, or the error)]"""
    report = []
    for target in panel["targets"]:
        try:
            report.append(
                (
                    target["refId"],
                    series_with_data(prometheus, target, dashboards.substitute(target["expr"], **variables)),
                )
            )
        except ValueError as error:
            report.append((target["refId"], str(error)))
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=int, default=900)
    parser.add_argument("--rate-interval", default="1m")
    parser.add_argument("--interval", default="1m")
    parser.add_argument("--job", default=".+")
    parser.add_argument("--instance", default=".+")
    parser.add_argument("--healthy", action="store_true")
    parser.add_argument("--namespaced", action="store_true")
    parser.add_argument("--no-witness", action="store_true")
    arguments = parser.parse_args()

    prometheus = Prometheus(arguments.url, arguments.seconds)
    variables = {
        "job": arguments.job,
        "instance": arguments.instance,
        "rate_interval": arguments.rate_interval,
        "interval": arguments.interval,
        "time_range": f"{arguments.seconds}s",
    }
    counts = {"data": 0, "empty": 0, "MISSING": 0}
    try:
        for file_name, dashboard in dashboards.load():
            for panel in dashboards.panels(dashboard):
                report = panel_report(prometheus, panel, variables)
                needed = [
                    found
                    for reference, found in report
                    if (file_name, panel["title"], reference) not in MAY_BE_EMPTY
                    and not (arguments.namespaced and (file_name, panel["title"], reference) in ONLY_ON_THE_HOST)
                ]
                complete = all(isinstance(found, int) and found > 0 for found in needed)
                may_be_empty = arguments.healthy and (file_name, panel["title"]) in EMPTY_WHILE_HEALTHY
                may_be_empty |= arguments.no_witness and (file_name, panel["title"]) in OF_THE_WITNESS
                verdict = "data" if complete else "empty" if may_be_empty else "MISSING"
                counts[verdict] += 1
                queries = " ".join(f"{reference}:{found}" for reference, found in report)
                print(f"{verdict:8} {file_name:14} {panel['title']:50} {queries}")
            for where, expr in dashboards.expressions(dashboard):
                if where.startswith(("annotation", "variable")):
                    found = len(prometheus.range(dashboards.substitute(expr, **variables)))
                    print(f"{'':8} {file_name:14} {where:50} {found}")
    except (urllib.error.URLError, ValueError) as error:
        print(f"cannot ask {arguments.url}: {error}", file=sys.stderr)
        return 2
    print(f"{counts['data']} panels with data, {counts['empty']} rightly empty, {counts['MISSING']} missing")
    return 1 if counts["MISSING"] else 0


if __name__ == "__main__":
    sys.exit(main())
