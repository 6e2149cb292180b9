#!/usr/bin/python3
"""The examples of dashboards/prometheus are valid, and what they federate or send on is what the Fleet dashboard reads: all
of it, and no series that it does not read."""

import re
import subprocess
import sys

import dashboards
import yaml

EXAMPLES = dashboards.ROOT / "dashboards" / "prometheus"
VALUE = {"=": lambda value, given: value == given, "=~": lambda value, given: re.fullmatch(value, given) is not None}
# What the examples may leave to the dashboard's own choice.
CHOSEN_BY_READER = ("job", "instance")


def read():
    """{(metric, frozenset of the labels that the dashboard demands by `=`)}"""
    found = set()
    for _, expr in dashboards.expressions(dict(dashboards.load())["fleet.json"]):
        for one in dashboards.selectors(expr):
            labels = {label: value for label, (operator, value) in one.matchers.items() if operator == "="}
            found.add((one.metric, frozenset((label, v) for label, v in labels.items() if label not in CHOSEN_BY_READER)))
        found |= {(metric, frozenset()) for metric in dashboards.bare_metrics(expr)}
    return found


def label_values():
    """Of the labels by which the examples choose, what else there is."""
    return {"packet": ["fin", "rst", "data", "ack", "peer_fin", "forwarded_fin"],
            "state": ["syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close",
                      "max_retrans", "unacknowledged"]}  # fmt: skip


def federated(metric, labels):
    """Whether the example federates that series."""
    configuration = yaml.safe_load((EXAMPLES / "global.yaml").read_text())
    for match in configuration["scrape_configs"][0]["params"]["match[]"]:
        wanted = re.findall(r'(\w+)(=~|=)"((?:\\.|[^"\\])*)"', match)
        given = {"__name__": metric, "alertname": "FinwaitHostFailing", "alertstate": "firing", **labels}
        if all(VALUE[operator](value, given.get(label, "")) for label, operator, value in wanted):
            return True
    return False


def sent(metric, labels):
    """Whether the example of remote_write sends that series."""
    configuration = yaml.safe_load((EXAMPLES / "remote_write.yaml").read_text())
    given = {"__name__": metric, **labels}
    for rule in configuration["remote_write"][0]["write_relabel_configs"]:
        text = ";".join(given.get(label, "") for label in rule["source_labels"])
        if (re.fullmatch(rule["regex"], text) is not None) != (rule["action"] == "keep"):
            return False
    return True


def problems():
    needed = read()
    for metric, demanded in sorted(needed, key=str):
        for what, tells in (("federated", federated), ("sent", sent)):
            if not tells(metric, dict(demanded)):
                yield f"the Fleet dashboard reads {metric}{dict(demanded) or ''}, which is not {what}"
    of_rules = yaml.safe_load((dashboards.ROOT / "dashboards" / "rules.yaml").read_text())["groups"]
    recorded = {rule["record"] for group in of_rules for rule in group["rules"]}
    for metric in sorted(recorded - {metric for metric, _ in needed}):
        for what, tells in (("federated", federated), ("sent", sent)):
            if tells(metric, {"packet": "fin"}):
                yield f"{metric} is {what}, and the Fleet dashboard does not read it"
    for metric, demanded in sorted(needed, key=str):
        for label, value in demanded:
            for other in label_values().get(label, []):
                if other != value and (metric, frozenset({(label, other)})) not in needed:
                    for what, tells in (("federated", federated), ("sent", sent)):
                        if tells(metric, {label: other}):
                            yield f"{metric}{{{label}={other!r}}} is {what}, and the Fleet dashboard does not read it"
    for path in sorted(EXAMPLES.glob("*.yaml")):
        done = subprocess.run(["promtool", "check", "config", str(path)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            yield f"{path.name}: {done.stdout}{done.stderr}"


def main():
    found = list(problems())
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{len(list(EXAMPLES.glob('*.yaml')))} examples of Prometheus, {len(read())} selectors, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
