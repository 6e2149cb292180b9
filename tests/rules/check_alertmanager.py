#!/usr/bin/python3
"""Holds dashboards/alertmanager against a real Alertmanager: routes, inhibitions and messages, all by amtool.

Alertmanager runs in a network namespace of its own, where its receivers lead nowhere.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import yaml

DASHBOARDS = pathlib.Path(__file__).resolve().parent.parent.parent / "dashboards"
FOLDER = DASHBOARDS / "alertmanager"
CONFIGURATION = FOLDER / "alertmanager.yaml"
ADDRESS = "127.0.0.1:9093"


def amtool(*arguments):
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"amtool {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def alerts():
    """{name: severity} of all that are shipped."""
    groups = yaml.safe_load((DASHBOARDS / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"]}


@contextlib.contextmanager
def alertmanager():
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={CONFIGURATION}",
                f"--storage.path={folder}",
                f"--web.listen-address={ADDRESS}",
                "--cluster.listen-address=",
                "--log.level=error",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(100):
                with contextlib.suppress(RuntimeError):
                    amtool("alert", "query", f"--alertmanager.url=http://{ADDRESS}")
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(10)


def add(name, instance, **labels):
    pairs = [f"{key}={value}" for key, value in {"job": "finwait_exporter", **labels}.items()]
    amtool("alert", "add", f"--alertmanager.url=http://{ADDRESS}", name, f"instance={instance}", *pairs)


def active():
    """(name, instance) of what nothing inhibits."""
    found = json.loads(amtool("alert", "query", f"--alertmanager.url=http://{ADDRESS}", "--active", "-o", "json"))
    return {(one["labels"]["alertname"], one["labels"]["instance"]) for one in found}


class Configuration(unittest.TestCase):
    def test_amtool_finds_nothing_wrong(self):
        self.assertIn("SUCCESS", amtool("check-config", str(CONFIGURATION)))

    def test_what_compose_starts_inhibits_the_same(self):
        compose = FOLDER.parent.parent / "packaging" / "compose" / "alertmanager.yml"
        rules = [yaml.safe_load(file.read_text())["inhibit_rules"] for file in (CONFIGURATION, compose)]
        self.assertEqual(rules[0], rules[1])
        self.assertIn("SUCCESS", amtool("check-config", str(compose)))

    def test_each_severity_has_its_receiver(self):
        receivers = {"critical": "page", "warning": "team", "info": "daylight"}
        for name, severity in alerts().items():
            with self.subTest(name):
                route = [f"--config.file={CONFIGURATION}", f"alertname={name}", f"severity={severity}"]
                self.assertEqual(amtool("config", "routes", "test", *route).strip(), receivers[severity])

    def test_every_alert_it_names_is_shipped(self):
        for rule in yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]:
            for matcher in rule["source_matchers"] + rule["target_matchers"]:
                for name in matcher.split('"')[1].split("|"):
                    self.assertIn(name, alerts())


class Inhibition(unittest.TestCase):
    def test_the_alert_that_tells_more_speaks_alone_and_for_its_own_host_only(self):
        with alertmanager():
            for name in (
                "FinwaitHostFailing",
                "FinwaitSocketsStuck",
                "FinwaitResetsDropped",
                "FinwaitSocketsAtRisk",
                "FinwaitTimeoutBelowKeepalive",
            ):
                add(name, "sick:10061")
            for name in ("FinwaitSocketsStuck", "FinwaitResetsDropped"):
                add(name, "other:10061")
            for name in ("FinwaitCollectorFailing", "FinwaitRiskUnknown", "FinwaitSamplesStale"):
                add(name, "blind:10061")
            for name in ("FinwaitExporterDown", "FinwaitCollectorFailing"):
                add(name, "dead:10061")
            for name in ("FinwaitConntrackTableNearlyFull", "FinwaitConntrackTableFilling"):
                add(name, "full:10061")
            self.assertEqual(
                active(),
                {
                    ("FinwaitHostFailing", "sick:10061"),
                    ("FinwaitSocketsStuck", "other:10061"),
                    ("FinwaitCollectorFailing", "blind:10061"),
                    ("FinwaitSamplesStale", "blind:10061"),
                    ("FinwaitExporterDown", "dead:10061"),
                    ("FinwaitConntrackTableNearlyFull", "full:10061"),
                },
            )


def notification(number, status="firing"):
    """What Alertmanager hands to a template, with `number` hosts."""
    annotations = {
        "summary": "Closing TCP connections get stuck.",
        "description": "131 of them.",
        "runbook_url": "dashboards/runbook.md#finwaitsocketsstuck",
    }
    labels = {"alertname": "FinwaitSocketsStuck", "job": "finwait_exporter", "cause": "local_drop"}
    return {
        "receiver": "team",
        "status": status,
        "alerts": [
            {"status": status, "labels": {**labels, "instance": f"host-{host}:10061"}, "annotations": annotations}
            for host in range(number)
        ],
        "commonLabels": labels,
        "commonAnnotations": annotations,
    }


def render(template, data):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(data, file)
        file.flush()
        text = f'{{{{ template "{template}" . }}}}'
        glob = str(FOLDER / "*.tmpl")
        options = [f"--template.glob={glob}", f"--template.data={file.name}", f"--template.text={text}"]
        return amtool("template", "render", *options).rstrip("\n")


class Messages(unittest.TestCase):
    def test_a_title_names_the_host_or_how_many(self):
        self.assertEqual(render("finwait.title", notification(1)), "FinwaitSocketsStuck on host-0:10061")
        self.assertEqual(render("finwait.title", notification(200)), "FinwaitSocketsStuck on 200 hosts")
        self.assertEqual(
            render("finwait.title", notification(1, "resolved")), "resolved: FinwaitSocketsStuck on host-0:10061"
        )

    def test_a_message_leads_to_the_dashboard_and_the_runbook(self):
        self.assertEqual(
            render("finwait.text", notification(1)),
            "Closing TCP connections get stuck.\n131 of them.\n"
            "Dashboard: https://grafana.example.com/d/finwait-host?var-job=finwait_exporter&var-instance=host-0%3A10061\n\n"
            "What to do: https://git.example.com/finwait_exporter/dashboards/runbook.md#finwaitsocketsstuck",
        )

    def test_a_message_about_many_hosts_stays_short(self):
        text = render("finwait.text", notification(200))
        self.assertEqual(text.count("/d/finwait-host"), 10)
        self.assertIn("200 in all", text)


def enter_namespace():
    """Runs this again where nothing listens on Alertmanager's port; exits as it did."""
    if os.environ.get("FINWAIT_ALONE") != "1":
        # No user namespace for root: a chroot cannot make one.
        as_user = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", *as_user, "--net", sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, "FINWAIT_ALONE": "1"}, check=False).returncode)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


if __name__ == "__main__":
    enter_namespace()
    unittest.main()
