#!/usr/bin/python3
"""A rollout that takes the capability from 200 hosts at once: one alert a host, within two minutes of what it tells.

Writes the 200 hosts' series as a test of promtool's, which is too long to keep, and runs it.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

DASHBOARDS = pathlib.Path(__file__).resolve().parent.parent.parent / "dashboards"
HOSTS = 200
NEED_IT = ["conntrack_stats", "conntrack_table", "conntrack_events", "tracking", "firewall"]
DO_NOT = ["sysctl", "sockets", "netstat", "network_namespaces"]
ROLLOUT, LENGTH = 20, 60  # minutes


def series(host):
    def named(name, values, **labels):
        labels = {"job": "finwait_exporter", "instance": f"node-{host}:10061", **labels}
        matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return {"series": f"{name}{{{matchers}}}", "values": values}

    before, after = ROLLOUT - 1, LENGTH - ROLLOUT
    yield named("up", f"1x{LENGTH}")
    yield named("finwait_exporter_build_info", f"1x{LENGTH}", version="1")
    yield named("finwait_risk_score", f"20x{before} stale")
    for stage in ("none", "latent", "exposed", "failing"):
        yield named("finwait_risk_stage", f"{int(stage == 'latent')}x{before} stale", stage=stage)
    for collector in NEED_IT + DO_NOT:
        lost = collector in NEED_IT
        yield named("finwait_collector_success", f"1x{before} {int(not lost)}x{after}", collector=collector)
        yield named("finwait_collector_interval_seconds", f"5x{LENGTH}", collector=collector)
        last = f"{60 * before}x{after}" if lost else f"{60 * ROLLOUT}+60x{after}"
        yield named("finwait_collector_last_success_timestamp_seconds", f"0+60x{before} {last}", collector=collector)
        if lost:
            growing = f"0x{before} 12+12x{after}"
            yield named("finwait_collector_failures_total", growing, collector=collector, reason="permission")


def firing(minutes, samples, expression='count by (alertname) (ALERTS{alertstate="firing"})'):
    expected = [{"labels": f'{{alertname="{name}"}}', "value": value} for name, value in samples.items()]
    return {"expr": expression, "eval_time": f"{minutes}m", "exp_samples": expected}


def main():
    begun = 'count by (alertname) (ALERTS{alertstate="firing"} unless ALERTS{alertstate="firing"} offset 30s)'
    ever = f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{LENGTH}m]))'
    test = {
        "rule_files": [str(DASHBOARDS / name) for name in ("rules.yaml", "alerts.yaml")],
        "evaluation_interval": "30s",
        "group_eval_order": [f"finwait.{name}" for name in ("rules", "failures", "exposure", "conntrack", "exporter")],
        "tests": [
            {
                "name": f"{HOSTS} hosts lose the capability in one minute",
                "interval": "60s",
                "input_series": [one for host in range(HOSTS) for one in series(host)],
                "promql_expr_test": [
                    firing(ROLLOUT + 9, {}),
                    firing(ROLLOUT + 12, {"FinwaitCollectorFailing": HOSTS}),
                    firing(LENGTH - 1, {}, begun),
                    firing(LENGTH - 1, {"FinwaitCollectorFailing": HOSTS}, ever),
                ],
            }
        ],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(test, file)  # JSON is YAML
        file.flush()
        return subprocess.run(["promtool", "test", "rules", file.name], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
