#!/usr/bin/python3
"""The article's failure from its first sign to its repair, as Prometheus, Alertmanager and the dashboards tell it.

Four hosts with the real exporter. One gets a rule that drops INVALID and a short timeout, loses its entries, closes its
connections, and is repaired as the page advises; one stays healthy; one may read neither conntrack nor the rules; and one
dies. Every alert that is due must arrive at a webhook with its labels, once, no other may, none that is critical may begin
after the repair, and what the repair ends must resolve. Then every query of every panel must have data. Prints the
timeline of the alerts and the list of panels. monitoring.py says how time is scaled.
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

SICK, HEALTHY, BLIND, DEAD = "sick:10061", "healthy:10061", "blind:10061", "dead:10061"
TIMEOUT = "net.netfilter.nf_conntrack_tcp_timeout_established"
DROP = "OUTPUT -m conntrack --ctstate INVALID -j DROP"
# Where the kernel and the build have what it takes; its panels are empty elsewhere.
HAS_WITNESS = (
    pathlib.Path("/sys/kernel/btf/vmlinux").exists()
    and b"witness_drop" in lab.PROGRAM.read_bytes()  # the name of the BPF program inside
)
WITNESS = ["--collector.witness"] if HAS_WITNESS else []
LET_OUT = "OUTPUT -p tcp -m conntrack --ctstate INVALID -m tcp --tcp-flags {0} {0} -j ACCEPT"


def alert(instance, severity, **more):
    return {"job": "finwait_exporter", "instance": instance, "severity": severity, **more}


EXPECTED = {
    "FinwaitTimeoutBelowKeepalive": alert(SICK, "warning"),
    "FinwaitSocketsAtRisk": alert(SICK, "warning"),
    "FinwaitSocketsStuck": alert(SICK, "warning", cause="local_drop"),
    "FinwaitResetsDropped": alert(SICK, "warning"),
    "FinwaitHostFailing": alert(SICK, "critical"),
    "FinwaitCollectorFailing": alert(BLIND, "warning"),
    "FinwaitExporterDown": alert(DEAD, "warning"),
}
# Needs an hour's memory, here a minute, and so comes about when the story ends: welcome, and not waited for.
MAY_COME = {"FinwaitRiskRoseAfterChange": alert(SICK, "warning")}
RESOLVED = [
    "FinwaitTimeoutBelowKeepalive",
    "FinwaitSocketsAtRisk",
    "FinwaitSocketsStuck",
    "FinwaitResetsDropped",
    "FinwaitHostFailing",
]
# The process of the sick host's connections ends in turns, as in a rollout.
TURNS, EACH = 8, 5


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
            enter(lab.exporter("--sampling.interval=1s", "--path.timeout=192.0.2.0/24=aws-nlb", *WITNESS))
            enter(lab.exporter("--sampling.interval=1s", where="peer"))
            more = lab.add_hosts(["blind", "dead"])
            without_capability = ["setpriv", "--bounding-set=-net_admin"]
            enter(self.further_exporter("blind", more, before=without_capability, ready="/healthz"))
            dead = enter(contextlib.ExitStack())
            dead.enter_context(self.further_exporter("dead", more))
            enter(monitoring.alertmanager(self.folder))
            targets = {SICK: lab.LOCAL, HEALTHY: lab.PEER, BLIND: more["blind"], DEAD: more["dead"]}
            enter(monitoring.prometheus(self.folder, {name: f"{ip}:10061" for name, ip in targets.items()}))
            self.did("all hosts are scraped; one may not read conntrack and the rules")
            enter(lab.peer_listening(80))
            enter(lab.connections(10, 80, keepalive=1))

            lab.shell(f"iptables -A {DROP}")
            lab.sysctl(TIMEOUT, 4)
            self.did("INVALID is dropped, and the established timeout is 4 s")
            holders = [enter(lab.connections(EACH, 80)) for _ in range(TURNS)]
            resetter = enter(lab.connections(5, 80, reset=True))
            self.did("45 connections idle, 10 have a keepalive")
            self.expect("FinwaitTimeoutBelowKeepalive", "firing")
            self.expect("FinwaitSocketsAtRisk", "firing")

            dead.close()
            self.did("the exporter of one host dies")
            resetter.kill()
            self.did("the processes of the 45 are killed, one a second")
            for holder in holders:
                holder.kill()
                time.sleep(1)
            self.expect("FinwaitSocketsStuck", "firing")
            self.expect("FinwaitResetsDropped", "firing")
            self.expect("FinwaitHostFailing", "firing")

            for flag in ("FIN", "RST"):
                lab.shell(f"iptables -I {LET_OUT.format(flag)}")
            lab.sysctl(TIMEOUT, 432000)
            self.did("fixed: INVALID packets with FIN or RST are let out, and the timeout is 5 days")
            lab.wait_for("end of the stuck sockets", lambda: self.stuck_now() == 0, 60)
            self.did("no socket is stuck any more")
            repaired = time.monotonic()
            for name in RESOLVED:
                self.expect(name, "resolved")
            self.expect("FinwaitCollectorFailing", "firing")
            self.expect("FinwaitExporterDown", "firing")

            self.print_timeline()
            self.check_alerts()
            self.check_nothing_critical_began_after(repaired)
            self.check_rules()
            self.check_panels()

    @staticmethod
    def further_exporter(name, addresses, **options):
        return lab.exporter("--sampling.interval=1s", where=name, address=addresses[name], **options)

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
            name = labels.pop("alertname")
            if alert["status"] == "firing":
                self.assertNotIn(name, firing, "began twice")
                firing[name] = labels
            self.assertEqual(alert["annotations"].keys(), {"summary", "description", "runbook_url"})
            self.assertNotIn("{{", "".join(alert["annotations"].values()))
            if name == "FinwaitCollectorFailing":
                self.assertIn("firewall permission", alert["annotations"]["description"])
                self.assertIn("the process has no CAP_NET_ADMIN", alert["annotations"]["description"])
        self.assertEqual(firing, {**EXPECTED, **{name: MAY_COME[name] for name in firing if name in MAY_COME}})

    def check_nothing_critical_began_after(self, moment):
        for arrived, alert in self.webhook.arrived:
            if alert["status"] == "firing" and alert["labels"]["severity"] == "critical":
                self.assertLess(arrived, moment, f"{alert['labels']['alertname']} began after the repair")
        since = int(time.monotonic() - moment)
        critical = 'ALERTS{severity="critical",alertstate="firing"}'
        began = monitoring.query(f"sum(sum_over_time((count({critical} unless {critical} offset 1s))[{since}s:1s]))")
        self.assertEqual(began, [])

    def check_rules(self):
        """None of them has ever failed to evaluate."""
        for group in monitoring.ask("rules")["groups"]:
            for rule in group["rules"]:
                self.assertEqual(rule["health"], "ok", f"{rule['name']}: {rule.get('lastError')}")
        failures = monitoring.query("sum(prometheus_rule_evaluation_failures_total) or vector(0)")
        self.assertEqual(failures[0]["value"][1], "0")

    def check_panels(self):
        command = [lab.ROOT / "tests/dashboards/query_panels.py", monitoring.PROMETHEUS, "--namespaced"]
        command += [] if WITNESS else ["--no-witness"]
        seconds = int(time.monotonic() - self.start)
        print(flush=True)
        panels = subprocess.run([*command, f"--seconds={seconds}", "--rate-interval=4s", "--interval=2s"], check=False)
        self.assertEqual(panels.returncode, 0, "a panel has no data")


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
