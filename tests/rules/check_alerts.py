#!/usr/bin/python3
"""Checks what promtool does not: that every alert is complete, explained in the runbook, and tested both ways."""

import json
import pathlib
import re
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
DASHBOARDS = HERE.parent.parent / "dashboards"
RUNBOOK_BASE = "dashboards/runbook.md#"
SUBSECTIONS = ["What it means", "How to confirm", "How to fix", "What does not help"]


def rules(file_name, kind):
    groups = yaml.safe_load((DASHBOARDS / file_name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def check_recording_rule(rule):
    if not re.fullmatch(r"[a-z_]+:finwait_[a-z_]+:[a-z_]+(\d+[smh])?", rule["record"]):
        yield "is not named level:metric:operation"
    yield from check_divisions(rule["expr"])


def check_divisions(expression):
    """A division whose denominator can be 0 says +Inf or NaN, which no threshold means."""
    for denominator in re.findall(r"/\s*(.*)", expression):
        if not re.search(r"> 0\)", denominator):
            yield f"divides without a guard: / {denominator}"


def check_alert(alert):
    if alert.get("labels", {}).get("severity") not in ("critical", "warning", "info"):
        yield "has no severity critical, warning or info"
    annotations = alert.get("annotations", {})
    for name in ("summary", "description", "runbook_url"):
        if not annotations.get(name):
            yield f"has no {name}"
    if not re.search(r"\$value|\d", annotations.get("description", "")):
        yield "has a description without numbers"
    if annotations.get("runbook_url") != RUNBOOK_BASE + alert["alert"].lower():
        yield f"has a runbook_url other than {RUNBOOK_BASE}{alert['alert'].lower()}"
    yield from check_divisions(alert["expr"])


def runbook_sections():
    """Alert name -> its subsections, in order."""
    sections = {}
    text = re.sub(r"```.*?```", "", (DASHBOARDS / "runbook.md").read_text(), flags=re.DOTALL)
    for line in text.splitlines():
        if match := re.match(r"## (Finwait\w+)$", line):
            current = sections.setdefault(match[1], [])
        elif re.match(r"##? ", line):
            current = []
        elif match := re.match(r"### (.+)$", line):
            current.append(match[1])
    return sections


def titles_in_runbook():
    """What the runbook names in italics: panels and annotations of the dashboards."""
    return re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", (DASHBOARDS / "runbook.md").read_text())


def titles_on_dashboards():
    loaded = [json.loads(path.read_text()) for path in DASHBOARDS.glob("*.json")]
    panels = [one for d in loaded for panel in d["panels"] for one in [panel, *panel.get("panels", [])]]
    annotations = [one for d in loaded for one in d["annotations"]["list"]]
    return {item.get("title") or item.get("name") for item in [*panels, *annotations]}


def tested_alerts():
    """The alerts that some test sees firing, and those that some test sees silent."""
    firing, silent = set(), set()
    for path in HERE.glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for test in group.get("alert_rule_test", []):
                (firing if test.get("exp_alerts") else silent).add(test["alertname"])
    return firing, silent


# Labels whose values are a host's own, not the program's.
FREE_LABELS = {"job", "instance", "version", "owner_namespace", "owner_name", "owner_container", "path"}
SERIES = re.compile(r"(\w+)(?:\{(.*)\})?")
# Of collectors that are off by default, which the golden scrape does without.
OFF_BY_DEFAULT = {"finwait_witness_disagreements_total": {}, "finwait_witness_lost_events_total": {}}
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def emitted():
    """Of each metric in the golden scrape, the values of each label."""
    values = dict(OFF_BY_DEFAULT)
    for line in (HERE.parent / "golden" / "metrics.txt").read_text().splitlines():
        if match := re.match(r"(finwait_\w+)(?:\{(.*)\})? ", line):
            of_metric = values.setdefault(match[1], {})
            for label, value in LABEL.findall(match[2] or ""):
                of_metric.setdefault(label, set()).add(value)
    return values


def series_of_tests():
    """(where, selector) of every series that a test takes for scraped: those of promtool, and of the dashboards' answers."""
    sys.path.insert(0, str(HERE.parent / "dashboards"))
    import check_answers

    tests = [(path.name, group) for path in sorted(HERE.glob("*.yaml")) for group in yaml.safe_load(path.read_text())["tests"]]
    tests += [("check_answers.py", one) for one in check_answers.CASES]
    for where, test in tests:
        for one in test.get("input_series", []):
            yield f"{where}: {test.get('name')}", one["series"]


def check_series(selector, known):
    """What the program would never print of such a series."""
    name, labels = SERIES.fullmatch(selector.strip()).groups()
    if not name.startswith("finwait_"):
        return
    if name not in known:
        yield "is no metric of the program"
        return
    for label, value in LABEL.findall(labels or ""):
        if label in FREE_LABELS:
            continue
        if label not in known[name]:
            yield f"has no label {label}"
        elif value not in known[name][label]:
            yield f"is never {label}={value!r}"


def severities_in_readme():
    """Of each alert in the README's table; a row may be of several."""
    rows = re.findall(r"^\| (Finwait[\w, ]+) \| (\w+) \|", (DASHBOARDS / "README.md").read_text(), re.MULTILINE)
    return {name: severity for names, severity in rows for name in names.split(", ")}


def main():
    problems = []
    recordings = rules("rules.yaml", "record")
    alerts = rules("alerts.yaml", "alert")
    for rule in recordings:
        problems += [f"{rule['record']} {problem}" for problem in check_recording_rule(rule)]
    for alert in alerts:
        problems += [f"{alert['alert']} {problem}" for problem in check_alert(alert)]

    names = {alert["alert"] for alert in alerts}
    sections = runbook_sections()
    problems += [f"{name} has no section in the runbook" for name in sorted(names - sections.keys())]
    problems += [f"the runbook explains {name}, which is no alert" for name in sorted(sections.keys() - names)]
    problems += [
        f"the runbook's section {name} has {found}, not {SUBSECTIONS}"
        for name, found in sections.items()
        if found != SUBSECTIONS
    ]

    # The Host dashboard links a section by the alert's name; an anchor of a heading is in lower case.
    anchors = set(re.findall(r'^<a id="(\w+)"></a>\n\n## \1$', (DASHBOARDS / "runbook.md").read_text(), re.MULTILINE))
    problems += [f"the runbook has no anchor {name} above its section" for name in sorted(names - anchors)]

    listed = severities_in_readme()
    for name in sorted(names | listed.keys()):
        severity = next((alert["labels"]["severity"] for alert in alerts if alert["alert"] == name), None)
        if severity != listed.get(name):
            problems.append(f"{name} has the severity {severity}, and {listed.get(name)} in the README's table")

    problems += [
        f"the runbook names {t}, which is on no dashboard"
        for t in titles_in_runbook()
        if t not in titles_on_dashboards()
    ]

    known = emitted()
    problems += [
        f"{where}: {selector} {problem}"
        for where, selector in series_of_tests()
        for problem in check_series(selector, known)
    ]

    firing, silent = tested_alerts()
    problems += [f"{name} is never seen firing in a test" for name in sorted(names - firing)]
    problems += [f"{name} is never seen silent in a test" for name in sorted(names - silent)]

    for problem in problems:
        print(problem, file=sys.stderr)
    print(
        f"{len(recordings)} recording rules, {len(alerts)} alerts, {len(sections)} sections, {len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
