#!/usr/bin/python3
"""Checks that the operator sees every metric there is (docs/metrics.md, which is made from the code), and that nothing
asks for one that does not exist."""

import re
import sys

import dashboards
import yaml

# Used by no panel, alert or rule, on purpose.
DELIBERATELY_UNUSED = {
    "process_virtual_memory_bytes": "address space says nothing about cost; resident memory is shown",
    "finwait_exporter_sandbox": "it says what this kernel and the flags allow, for whoever audits, and does not change",
    "finwait_conntrack_table_reads_total": "it says how the table is read, for whoever has switched the walk on",
    "process_threads": "it is the same number on every host",
}
# What Prometheus itself makes.
FROM_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"}


def families():
    """{family name: type}"""
    document = (dashboards.ROOT / "docs/metrics.md").read_text()
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", document, flags=re.MULTILINE))


def series_names():
    """Series name -> family name, histograms as their three."""
    names = {}
    for family, kind in families().items():
        for suffix in ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]:
            names[family + suffix] = family
    return names


def rules():
    loaded = []
    for name in ("rules.yaml", "alerts.yaml"):
        for group in yaml.safe_load((dashboards.ROOT / "dashboards" / name).read_text())["groups"]:
            loaded += group["rules"]
    return loaded


def metrics_in(expr):
    return {selector.metric for selector in dashboards.selectors(expr)} | set(dashboards.bare_metrics(expr))


def main():
    asked = {}  # metric -> where
    for file_name, dashboard in dashboards.load():
        for where, expr in dashboards.expressions(dashboard):
            for metric in metrics_in(expr):
                asked[metric] = f"{file_name}: {where}"
    recorded = set()
    for rule in rules():
        name = rule.get("alert") or rule["record"]
        recorded |= {rule["record"]} if "record" in rule else set()
        texts = [
            rule["expr"],
            *re.findall(r'printf "((?:\\.|[^"\\])*)"', " ".join(rule.get("annotations", {}).values())),
        ]
        for text in texts:
            for metric in metrics_in(text.replace('\\"', '"')):
                asked[metric] = name

    series = series_names()
    problems = [
        f"{where} asks for {metric}, which nothing exports or records"
        for metric, where in sorted(asked.items())
        if metric not in series.keys() | recorded | FROM_PROMETHEUS
    ]
    used = {series[metric] for metric in asked if metric in series}
    for family in families():
        if family not in used and family not in DELIBERATELY_UNUSED:
            problems.append(f"{family} is used by no panel, alert or rule, and is not on the deliberate list")
        if family in used and family in DELIBERATELY_UNUSED:
            problems.append(f"{family} is on the list of deliberately unused metrics, but used")
    problems += [f"{name} is recorded, but nothing reads it" for name in sorted(recorded - asked.keys())]
    for problem in problems:
        print(problem, file=sys.stderr)
    unused = len(DELIBERATELY_UNUSED)
    print(f"{len(used)} of {len(families())} families used, {unused} deliberately not, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
