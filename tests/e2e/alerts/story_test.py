#!/usr/bin/python3
"""The article's failure from its first sign to its repair, as Prometheus, Alertmanager and the dashboards tell it.

Two hosts with the real exporter; one gets a rule that drops INVALID and a short timeout, loses its entries, closes its
connections, and is repaired as the page advises. Every alert that is due must arrive at a webhook with its labels, no
other may, and what the repair ends must resolve. Then every query of every panel must have data. Prints the timeline of
the alerts and the list of panels. monitoring.py says how time is scaled.
"""

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import monitoring  # noqa: E402  (the path comes first)
from monitoring import lab  # noqa: E402

SICK, HEALTHY = "sick:10061", "healthy:10061"
TIMEOUT = "net.netfilter.nf_conntrack_tcp_timeout_established"
DROP = "OUTPUT -m conntrack --ctstate INVALID -j DROP"
LET_OUT = "OUTPUT -p tcp -m conntrack --ctstate INVALID -m tcp --tcp-flags {0} {0} -j ACCEPT"
ALERT = {"job": "finwait_exporter", "instance": SICK}
EXPECTED = {
    "FinwaitTimeoutBelowKeepalive": {**ALERT, "severity": "warning"},
    "FinwaitSocketsAtRisk": {**ALERT, "severity": "warning"},
    "FinwaitSocketsStuck": {**ALERT, "severity": "warning", "cause": "local_drop"},
    "FinwaitResetsDropped": {**ALERT, "severity": "warning"},
    "FinwaitHostFailing": {**ALERT, "severity": "critical"},
}
# Needs an hour's memory, here a minute, and so comes about when the story ends: welcome, and not waited for.
MAY_COME = {"FinwaitRiskRoseAfterChange": {**ALERT, "severity": "warning"}}
# The others tell of what still holds: the exporter calls a host failing for 5 minutes (not scaled) after the last proof.
RESOLVED = ["FinwaitTimeoutBelowKeepalive", "FinwaitSocketsAtRisk", "FinwaitSocketsStuck", "FinwaitResetsDropped"]


class StoryTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.start = time.monotonic()
        self.deeds = []

    def did(self, what):
        self.deeds.append((time.monotonic(), what))

    def test_the_articles_failure_is_told_and_ends(self):
        with contextlib.ExitStack() as stack:
            enter = stack.enter_context
            self.webhook = enter(monitoring.webhook())
            enter(lab.exporter("--sampling.interval=1s"))
            enter(lab.exporter("--sampling.interval=1s", where="peer"))
            enter(monitoring.alertmanager(self.folder))
            enter(monitoring.prometheus(self.folder, {SICK: f"{lab.LOCAL}:10061", HEALTHY: f"{lab.PEER}:10061"}))
            self.did("both hosts are healthy")
            enter(lab.peer_listening(80))
            enter(lab.connections(10, 80, keepalive=1))

            lab.shell(f"iptables -A {DROP}")
            lab.sysctl(TIMEOUT, 4)
            self.did("INVALID is dropped, and the established timeout is 4 s")
            holder = enter(lab.connections(40, 80))
            resetter = enter(lab.connections(5, 80, reset=True))
            self.did("45 connections idle, 10 have a keepalive")
            self.expect("FinwaitTimeoutBelowKeepalive", "firing")
            self.expect("FinwaitSocketsAtRisk", "firing")

            holder.kill()
            resetter.kill()
            self.did("the processes of the 45 are killed")
            self.expect("FinwaitSocketsStuck", "firing")
            self.expect("FinwaitResetsDropped", "firing")
            self.expect("FinwaitHostFailing", "firing")

            for flag in ("FIN", "RST"):
                lab.shell(f"iptables -I {LET_OUT.format(flag)}")
            lab.sysctl(TIMEOUT, 432000)
            self.did("fixed: INVALID packets with FIN or RST are let out, and the timeout is 5 days")
            lab.wait_for("end of the stuck sockets", lambda: self.stuck_now() == 0, 60)
            self.did("no socket is stuck any more")
            for name in RESOLVED:
                self.expect(name, "resolved")

            self.print_timeline()
            self.check_alerts()
            self.check_rules()
            self.check_panels()

    def expect(self, name, status, seconds=45):
        try:
            self.webhook.wait(name, status, seconds)
        except RuntimeError:
            self.print_timeline()
            raise

    @staticmethod
    def stuck_now():
        return sum(value for series, value in lab.metrics().items() if series.startswith("finwait_tcp_stuck_sockets{"))

    def print_timeline(self):
        arrived = [
            (moment, f"{alert['status']:9} {alert['labels']['alertname']} ({self.labels(alert)})")
            for moment, alert in self.webhook.arrived
        ]
        print("\nTimeline, in seconds since the start; a second stands for a minute of the shipped rules")
        for moment, what in sorted([*self.deeds, *arrived]):
            print(f"{moment - self.start:6.1f}  {what}")

    @staticmethod
    def labels(alert):
        return ", ".join(f"{name}={value}" for name, value in sorted(alert["labels"].items()) if name != "alertname")

    def check_alerts(self):
        firing = {}
        for _, alert in self.webhook.arrived:
            labels = dict(alert["labels"])
            firing.setdefault(labels.pop("alertname"), labels)
            self.assertEqual(alert["annotations"].keys(), {"summary", "description", "runbook_url"})
            self.assertNotIn("{{", "".join(alert["annotations"].values()))
        self.assertEqual(firing, {**EXPECTED, **{name: MAY_COME[name] for name in firing if name in MAY_COME}})

    def check_rules(self):
        """None of them has ever failed to evaluate."""
        for group in monitoring.ask("rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual(rule["health"], "ok", f"{rule['name']}: {rule.get('lastError')}")
        failures = monitoring.query("sum(prometheus_rule_evaluation_failures_total) or vector(0)")
        self.assertEqual(failures[0]["value"][1], "0")

    def check_panels(self):
        command = [lab.ROOT / "tests/dashboards/query_panels.py", monitoring.PROMETHEUS, "--namespaced"]
        seconds = int(time.monotonic() - self.start)
        print(flush=True)
        panels = subprocess.run([*command, f"--seconds={seconds}", "--rate-interval=4s"], check=False)
        self.assertEqual(panels.returncode, 0, "a panel has no data")


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
