#!/usr/bin/python3
"""What queries of the dashboards answer, by promtool, where it matters that they do not mislead.

Each case has series, a panel's query with the variables substituted, and what it must answer.
"""

import json
import subprocess
import sys
import tempfile

import dashboards

RULES = [str(dashboards.ROOT / "dashboards/rules.yaml")]
HOUR = 60  # minutes: each case is asked at its end


def panel_query(file_name, title, reference):
    dashboard = dict(dashboards.load())[file_name]
    panel = next(panel for panel in dashboards.panels(dashboard) if panel["title"] == title)
    return next(target["expr"] for target in panel["targets"] if target["refId"] == reference)


def series(name, values, instance="h:1", **labels):
    labels = {"job": "j", "instance": instance, **labels}
    return {"series": f"{name}{{{','.join(f'{k}={json.dumps(v)}' for k, v in labels.items())}}}", "values": values}


def host(name, up=True, judged=True, stage="none", score=0):
    """The series of a host that is up all the time, or until half an hour ago."""
    until = f"1x{HOUR}" if up else "1x30 stale"
    yield series("up", f"1x{HOUR}" if up else f"1x30 0x{HOUR - 31}", name)
    yield series("finwait_exporter_build_info", until, name, version="1")
    yield series("finwait_collector_success", until, name, collector="sockets")
    if judged:
        yield series("finwait_risk_score", until.replace("1x", f"{score}x"), name)
        for one in ("none", "latent", "exposed", "failing"):
            yield series("finwait_risk_stage", until if one == stage else until.replace("1x", "0x"), name, stage=one)


def case(name, panel, inputs, expected, wrap="{}", **variables):
    """`expected`: {labels: value}; `wrap`: PromQL around the panel's query."""
    expr = wrap.format(f"({dashboards.substitute(panel_query(*panel), **variables)})")
    return {
        "name": f"{panel[0]}: {panel[1]}: {name}",
        "interval": "60s",
        "input_series": list(inputs),
        "promql_expr_test": [
            {
                "expr": expr,
                "eval_time": f"{HOUR}m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
            }
        ],
    }


def evidence(value, name="h:1", length=HOUR):
    return series("finwait_risk_last_evidence_timestamp_seconds", f"{value}x{length}", name)


def verdicts(family="ipv4", **values):
    for verdict, value in values.items():
        yield series("finwait_firewall_path_verdict", f"{value}x{HOUR}", family=family, packet="fin", verdict=verdict)


def narrow(**at_risk):
    """A rule of IPv4 for a few connections, and how many sockets at risk there are by fate."""
    for family, number in (("ipv4", 1), ("ipv6", 0)):
        yield series(
            "finwait_firewall_invalid_drop_rules", f"{number}x{HOUR}", backend="nft", family=family, hook="output"
        )
    for fate, number in at_risk.items():
        yield series("finwait_tcp_at_risk_sockets", f"{number}x{HOUR}", fate=fate)


def timeout(value):
    return series("finwait_sysctl_conntrack_tcp_timeout_seconds", f"{value}x{HOUR}", state="established")


def idle(**counts):
    for le, count in counts.items():
        bound = le.removeprefix("le").replace("inf", "+Inf")
        yield series("finwait_conntrack_entry_idle_seconds_bucket", f"{count}x{HOUR}", state="established", le=bound)


def of_host(title, reference="A"):
    return "host.json", title, reference


FAILURES = "finwait_collector_failures_total"
LAST_SUCCESS = "finwait_collector_last_success_timestamp_seconds"
PATH = of_host("What the rules do to a forgotten connection")
WORST = ("fleet.json", "Worst hosts", "A")
FLEET = [
    *host("failing:1", stage="failing", score=80),
    *host("exposed:1", stage="exposed", score=50),
    *host("latent:1", stage="latent", score=7),
    *host("clean:1"),
    *host("blind:1", judged=False),
    *host("dead:1", up=False, stage="exposed", score=50),
    series("up", "1x20 stale", "gone:1"),
    series("finwait_exporter_build_info", "1x20 stale", "gone:1", version="1"),
]
ATTENTION = ("exporter.json", "Exporters that need attention", "A")
DROPPED = "finwait_firewall_invalid_drop_packets_total"

CASES = [
    case("a failing host", of_host("Stage"), host("h:1", stage="failing", score=80), {"{}": 3}),
    case("a clean host", of_host("Stage"), host("h:1"), {"{}": 0}),
    case("a blind host has none", of_host("Stage"), host("h:1", judged=False), {}),
    case("a dead host has none", of_host("Stage"), host("h:1", up=False, stage="failing"), {}),
    case("a dead host has none", of_host("Risk score now"), host("h:1", up=False, score=80), {}),
    case("of a host that answers", of_host("Last scrape"), host("h:1"), {"{}": 0}),
    case(
        "of a host that is dead", of_host("Last scrape"), host("h:1", up=False), {"{}": 1000 * 60 * 30}, time_range="2h"
    ),
    case("never, on a host that is judged", of_host("Last proven failure"), [*host("h:1"), evidence(0)], {"{}": 0}),
    case("nobody knows on a blind host", of_host("Last proven failure"), [*host("h:1", judged=False), evidence(0)], {}),
    case(
        "a proof on a blind host",
        of_host("Last proven failure"),
        [*host("h:1", judged=False), evidence(60)],
        {"{}": 6e4},
    ),
    case("accept", PATH, verdicts(accept=1, drop=0, unknown=0), {'{family="ipv4",packet="fin"}': 0}),
    case("drop", PATH, verdicts(accept=0, drop=1, unknown=0), {'{family="ipv4",packet="fin"}': 2}),
    case(
        "drop for some, in the family with a rule, while a socket would lose it",
        PATH,
        [*verdicts(accept=1, drop=0, unknown=0), *verdicts(family="ipv6", accept=1, drop=0, unknown=0), *narrow(fin_dropped=3)],
        {'{family="ipv4",packet="fin"}': 3, '{family="ipv6",packet="fin"}': 0},
    ),
    case(
        "of a packet that no socket loses it is accept",
        PATH,
        [*verdicts(accept=1, drop=0, unknown=0), *narrow(fin_dropped=0, ack_dropped=3)],
        {'{family="ipv4",packet="fin"}': 0},
    ),
    case(
        "drop, not for some",
        PATH,
        [*verdicts(accept=0, drop=1, unknown=0), *narrow(fin_dropped=3)],
        {'{family="ipv4",packet="fin"}': 2},
    ),
    case(
        "bars add up to what got stuck",
        of_host("Newly stuck sockets by cause"),
        [
            series(
                "finwait_tcp_sockets_stuck_total",
                f"0x20 131x15 135x{HOUR - 36}",
                cause="local_drop",
                state="fin_wait_1",
            )
        ],
        {'{cause="local_drop"}': 135},
        wrap="sum_over_time({}[50m:1m])",
    ),
    case(
        "bars of an exporter that started again are not below zero",
        of_host("Newly stuck sockets by cause"),
        [
            series(
                "finwait_tcp_sockets_stuck_total", f"500x10 510x9 0x{HOUR - 21}", cause="local_drop", state="fin_wait_1"
            )
        ],
        {'{cause="local_drop"}': 0},
        wrap="min_over_time({}[50m:1m])",
    ),
    case(
        "the bucket around the timeout does not reach above it",
        of_host("Idle time of connections, as a share of their timeout", "B"),
        [timeout(30), *idle(le15=0, le60=100, leinf=100)],
        {"{}": 1},
    ),
    case(
        "the worst first, what is not known after exposed",
        WORST,
        FLEET,
        {
            '{job="j",instance="failing:1"}': 3,
            '{job="j",instance="exposed:1"}': 2,
            '{job="j",instance="blind:1"}': 1.5,
            '{job="j",instance="dead:1"}': 1.4,
            '{job="j",instance="latent:1"}': 1,
            '{job="j",instance="clean:1"}': 0,
        },
    ),
    case("those that are down", WORST, FLEET, {'{job="j",instance="dead:1"}': 1.4}, stage="== 1.4"),
    case("cannot tell", ("fleet.json", "Hosts by stage", "C"), FLEET, {"{}": 1}),
    case("down", ("fleet.json", "Hosts by stage", "D"), FLEET, {"{}": 1}),
    case("one stage, whatever the score", WORST, FLEET, {'{job="j",instance="exposed:1"}': 2}, stage=">= 2 < 3"),
    case("those without a score", ("fleet.json", "Hosts by stage over time", "E"), FLEET, {"{}": 1}),
    case("failing", ("fleet.json", "Hosts by stage over time", "A"), FLEET, {"{}": 1}, instance="none of them"),
    case(
        "those that have one now, and none at 0",
        ("fleet.json", "Risk score, ten worst hosts", "A"),
        FLEET,
        {
            'instance:finwait_risk_score:worst{job="j",instance="failing:1"}': 80,
            'instance:finwait_risk_score:worst{job="j",instance="exposed:1"}': 50,
            'instance:finwait_risk_score:worst{job="j",instance="latent:1"}': 7,
        },
    ),
    case(
        "one of two, and the other's rules do not tell",
        ("fleet.json", "Hosts that drop a closing packet", "A"),
        [*host("h:1"), *verdicts(drop=1, unknown=0), *host("other:1")],
        {'{packet="fin"}': 1},
    ),
    case(
        "nobody knows where a verdict is unknown",
        ("fleet.json", "Hosts that drop a closing packet", "A"),
        [*host("h:1"), *verdicts(drop=0, unknown=1)],
        {},
    ),
    case(
        "those whose rules tell",
        ("fleet.json", "Hosts that drop a closing packet", "B"),
        [*host("h:1"), *verdicts(drop=0, unknown=0), *host("other:1")],
        {"{}": 1},
    ),
    case(
        "a collector that never succeeded is not 57 years old",
        ("exporter.json", "Oldest sample", "A"),
        [series(LAST_SUCCESS, f"0x{HOUR}", collector="firewall"), series(LAST_SUCCESS, "0+60x60", collector="sockets")],
        {"{}": 0},
    ),
    case(
        "a failing collector with its reason, and a dead host",
        ATTENTION,
        [
            series("finwait_collector_success", f"0x{HOUR}", "blind:1", collector="firewall"),
            series("finwait_collector_success", f"1x{HOUR}", "blind:1", collector="sockets"),
            series(LAST_SUCCESS, f"0x{HOUR}", "blind:1", collector="firewall"),
            series(LAST_SUCCESS, "0+60x60", "blind:1", collector="sockets"),
            series(FAILURES, "0+1x60", "blind:1", collector="firewall", reason="permission"),
            series(FAILURES, f"0x{HOUR}", "blind:1", collector="firewall", reason="timeout"),
            series(FAILURES, "0+1x60", "blind:1", collector="sockets", reason="timeout"),
            *host("dead:1", up=False),
        ],
        {
            '{job="j",instance="blind:1",collector="firewall",reason="permission"}': 0,
            '{job="j",instance="dead:1",collector="all",reason="not scraped"}': 1000 * 60 * 30,
        },
        time_range="2h",
    ),
    case(
        "only what rose",
        of_host("INVALID packets dropped"),
        [
            series(DROPPED, "0+60x60", hook="output", family="ipv4"),
            series(DROPPED, "7x60", hook="input", family="ipv6"),
        ],
        {'{hook="output",family="ipv4"}': 1},
    ),
    case(
        "one zero where nothing did",
        of_host("INVALID packets dropped"),
        [series(DROPPED, "9x60", hook="output", family="ipv4"), series(DROPPED, "7x60", hook="input", family="ipv6")],
        {'{hook="none"}': 0},
    ),
    case("nothing where it is not read", of_host("INVALID packets dropped"), host("h:1"), {}),
]


def main():
    tests = {"rule_files": RULES, "evaluation_interval": "1m", "tests": CASES}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(tests, file)  # JSON is YAML
        file.flush()
        done = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
    print(f"{len(CASES)} answers of the dashboards asked by promtool")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
