#!/usr/bin/python3
"""What packaging/compose/ starts, started as it says, without containers: the same commands, and the same files where it mounts
them. In network and mount namespaces of its own, as root; with Debian's Prometheus and Alertmanager. Grafana is in no Debian:
of it only the files are looked at.

    compose_test.py      with FINWAIT_PROGRAM
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "packaging" / "compose" / "compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
PROGRAMS = {"finwait-exporter": os.environ["FINWAIT_PROGRAM"], "prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}


def mounts(service):
    """(file or None for a volume, path in the container) of a service."""
    for volume in SERVICES[service].get("volumes", []):
        source, target = volume.split(":")[:2]
        yield (COMPOSE.parent / source).resolve() if source.startswith(".") else None, pathlib.Path(target)


def answer(url):
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.loads(response.read())


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.processes = []
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for name, program in PROGRAMS.items():
            for source, target in mounts(name):
                top = pathlib.Path(*target.parts[:3]) if target.parts[1] == "etc" else target
                if not os.path.ismount(top):
                    top.mkdir(parents=True, exist_ok=True)
                    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top], check=True)
                if source is not None:
                    shutil.copyfile(source, target)
            with open(pathlib.Path(cls.folder.name) / name, "w") as log:
                work = tempfile.mkdtemp(dir=cls.folder.name)
                command = [part.replace("--storage.path=/alertmanager", f"--storage.path={work}") for part in SERVICES[name]["command"]]
                cls.processes.append(subprocess.Popen([program, *command], stdout=log, stderr=log))

    @classmethod
    def tearDownClass(cls):
        for process in cls.processes:
            process.terminate()
        for process in cls.processes:
            process.wait(30)
        cls.folder.cleanup()

    def logs(self):
        return "".join(path.read_text() for path in pathlib.Path(self.folder.name).iterdir() if path.is_file())

    def eventually(self, condition):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.2)
        self.fail(self.logs())

    def test_prometheus_scrapes_the_exporter(self):
        def up():
            result = answer("http://127.0.0.1:9090/api/v1/query?query=up%7Bjob%3D%22finwait_exporter%22%7D")["data"]["result"]
            return [each["value"][1] for each in result] == ["1"]
        self.eventually(up)

    def test_every_rule_and_alert_is_loaded_and_healthy(self):
        wanted = sum(len(group["rules"]) for name in ("rules", "alerts")
                     for group in yaml.safe_load((ROOT / "dashboards" / f"{name}.yaml").read_text())["groups"])

        def healthy():
            groups = answer("http://127.0.0.1:9090/api/v1/rules")["data"]["groups"]
            return [rule["health"] for group in groups for rule in group["rules"]] == ["ok"] * wanted
        self.eventually(healthy)

    def test_prometheus_has_found_the_alertmanager(self):
        self.eventually(lambda: answer("http://127.0.0.1:9090/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
        self.eventually(lambda: answer("http://127.0.0.1:9093/api/v2/status")["config"])


class Files(unittest.TestCase):
    def test_everything_that_is_mounted_is_there(self):
        for service in SERVICES:
            for source, target in mounts(service):
                self.assertTrue(source is None or source.is_file(), f"{service}: {target}")

    def test_grafana_is_given_every_dashboard_and_its_data_source(self):
        given = {target: source for source, target in mounts("grafana")}
        provider = yaml.safe_load(given[pathlib.Path("/etc/grafana/provisioning/dashboards/finwait.yaml")].read_text())["providers"][0]
        shown = {source.name for target, source in given.items() if target.parent == pathlib.Path(provider["options"]["path"])}
        self.assertEqual(shown, {path.name for path in (ROOT / "dashboards").glob("*.json")})
        source = yaml.safe_load(given[pathlib.Path("/etc/grafana/provisioning/datasources/finwait.yaml")].read_text())["datasources"][0]
        prometheus = next(part for part in SERVICES["prometheus"]["command"] if "listen-address" in part)
        self.assertEqual(source["url"], "http://" + prometheus.partition("=")[2])

    def test_the_exporter_has_one_capability_and_its_image_is_of_this_version(self):
        exporter = SERVICES["finwait-exporter"]
        self.assertEqual((exporter["cap_drop"], exporter["cap_add"]), (["ALL"], ["NET_ADMIN"]))
        version = re.search(r"^project\(finwait_exporter VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]
        self.assertEqual(exporter["image"], f"finwait-exporter:{version}")


unittest.main()
