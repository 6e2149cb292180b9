"""A Prometheus, an Alertmanager and a webhook's receiver, with the rules and alerts of dashboards/, in the sandbox.

Time is scaled by 60: what dashboards/ says in minutes is in seconds here, and its hours are minutes. Only lengths of
time are rewritten (ranges, offsets, `for:` and four literals); every expression and threshold is the shipped one.
"""

import contextlib
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "lab"))
import sandbox as lab  # noqa: E402  (the path comes first)

PROMETHEUS = "http://127.0.0.1:9090"
ALERTMANAGER_PORT, WEBHOOK_PORT = 9093, 9099


def scaled(rules):
    """The text of a rule file with a second for each minute and a minute for each hour."""

    def shorter(match):
        return re.sub(r"(\d+)([mh])", lambda length: length[1] + {"m": "s", "h": "m"}[length[2]], match[0])

    rules = re.sub(r"\[[^\]]*\d[mh][^\]]*\]|offset \d+[mh]|\bfor: \d+[mh]", shorter, rules)
    rules = rules.replace("15 * 60", "15").replace("4 * 3600", "4 * 60").replace("8 * 60", "8")
    # The age of the last proof: a sample and a scrape, which are not scaled, take two seconds.
    return rules.replace("1 * 60", "3")


@contextlib.contextmanager
def prometheus(folder, targets):
    """Scrapes `targets`, {instance: address}, every second; yields its address once all of them answer."""
    for name in ("rules.yaml", "alerts.yaml"):
        (folder / name).write_text(scaled((lab.ROOT / "dashboards" / name).read_text()))
    (folder / "prometheus.yml").write_text(json.dumps(_configuration(targets)))  # JSON is YAML
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={PROMETHEUS.removeprefix('http://')}",
        "--log.level=warn",
    ]
    with lab.running(command, log=folder / "prometheus.log"):
        lab.wait_for("scrape of every target", lambda: len(query("up == 1")) == len(targets))
        yield PROMETHEUS


def _configuration(targets):
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml", "alerts.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ALERTMANAGER_PORT}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "finwait_exporter",
                "static_configs": [
                    {"targets": [address], "labels": {"instance": instance}} for instance, address in targets.items()
                ],
            }
        ],
    }


@contextlib.contextmanager
def alertmanager(folder):
    """Sends every alert by itself, and at once, to the webhook."""
    configuration = {
        "route": {
            "receiver": "webhook",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {
                "name": "webhook",
                "webhook_configs": [{"url": f"http://127.0.0.1:{WEBHOOK_PORT}/", "send_resolved": True}],
            }
        ],
    }
    (folder / "alertmanager.yml").write_text(json.dumps(configuration))
    command = [
        "prometheus-alertmanager",
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address=127.0.0.1:{ALERTMANAGER_PORT}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with lab.running(command, log=folder / "alertmanager.log"):
        lab.wait_for("Alertmanager", lambda: lab.get(f"http://127.0.0.1:{ALERTMANAGER_PORT}/-/ready")[0] == 200)
        yield


class Webhook:
    """What has arrived: [(monotonic time, alert)], alert as Alertmanager's webhook has it."""

    def __init__(self):
        self.arrived = []
        self._change = threading.Condition()

    def take(self, notification):
        with self._change:
            self.arrived += [(time.monotonic(), alert) for alert in notification["alerts"]]
            self._change.notify_all()

    def wait(self, name, status, seconds):
        """The first alert `name` that arrived as "firing" or "resolved"; RuntimeError after `seconds`."""

        def found():
            for _, alert in self.arrived:
                if alert["labels"]["alertname"] == name and alert["status"] == status:
                    return alert
            return None

        with self._change:
            if not self._change.wait_for(found, seconds):
                raise RuntimeError(f"{name} did not arrive as {status} within {seconds} s")
            return found()


@contextlib.contextmanager
def webhook():
    receiver = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            receiver.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", WEBHOOK_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(path, **parameters):
    """The data of one API answer; None where Prometheus does not answer (yet)."""
    status, body = lab.get(f"{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
    return json.loads(body)["data"] if status == 200 else None


def query(expression):
    """The series of an instant query; none where Prometheus does not answer (yet)."""
    data = ask("query", query=expression)
    return data["result"] if data else []
