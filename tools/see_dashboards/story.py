#!/usr/bin/python3
"""Plays the story that the dashboards are looked at with, and leaves what a real Prometheus scraped of it in a folder.

    story.py FOLDER [--minutes N]

Five hosts with the real exporter, each in a network namespace of its own: a healthy one, one whose connections would
stick, one whose connections do, one that may read nothing (no CAP_NET_ADMIN), and one whose exporter is stopped half way.
Prometheus loads the shipped rules and alerts, unscaled. FOLDER/data is its database; FOLDER/story.json says when it ended.
FOLDER/pages has the page of each host that PAGES names, as it was at the end.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests/lab"))
import sandbox as lab  # noqa: E402  (the path comes first)

HOSTS = ["healthy-1", "exposed-1", "failing-1", "blind-1", "dead-1"]
TIMEOUT = "net.netfilter.nf_conntrack_tcp_timeout_established"
# On every host, so that conntrack runs.
ACCEPT = "iptables -w -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT"
DROP = "iptables -w -A OUTPUT -m conntrack --ctstate INVALID -j DROP"
PAGES = "exposed-1", "failing-1"
SCRAPE_SECONDS = 5
TURN_SECONDS = 40  # between two processes that end on the failing host
BURSTS = 131, 7, 24, 12, 61, 5, 18, 40, 9, 30, 14, 22, 35, 11, 16  # the last ones still live when the story ends


@contextlib.contextmanager
def prometheus(folder, addresses):
    configuration = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": "2s", "evaluation_interval": "15s"},
        "rule_files": [str(ROOT / "dashboards" / name) for name in ("rules.yaml", "alerts.yaml")],
        "scrape_configs": [
            {
                "job_name": "finwait_exporter",
                "static_configs": [
                    {"targets": [f"{address}:10061"], "labels": {"instance": f"{name}:10061"}}
                    for name, address in addresses.items()
                ],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(configuration))  # JSON is YAML
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:9090",
        "--log.level=warn",
    ]
    with lab.running(command, log=folder / "prometheus.log"):
        lab.wait_for("Prometheus", lambda: lab.get("http://127.0.0.1:9090/-/ready")[0] == 200)
        yield


def play(folder, seconds):
    start = time.time()

    def wait_until(share):
        time.sleep(max(0, start + share * seconds - time.time()))

    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        addresses = lab.add_hosts(HOSTS)
        enter(lab.peer_listening(80, where=None))
        for name in HOSTS:
            lab.shell(ACCEPT, name)
        exporters = {}
        for name, address in addresses.items():
            blind = name == "blind-1"
            before = ["setpriv", "--bounding-set=-net_admin"] if blind else []
            exporters[name] = stack.enter_context(contextlib.ExitStack())
            ready = "/healthz" if blind else "/readyz"
            exporters[name].enter_context(lab.exporter("--report.details", where=name, address=address, before=before, ready=ready))
        enter(prometheus(folder, addresses))
        for number, name in enumerate(HOSTS):
            enter(lab.connections(20 + 10 * number, 80, keepalive=5, where=name, to=lab.HUB))

        wait_until(0.1)
        for name in ("exposed-1", "dead-1", "failing-1"):
            lab.shell(DROP, name)
        wait_until(0.2)
        for name in ("exposed-1", "dead-1", "failing-1"):
            lab.sysctl(TIMEOUT, 20, name)
        enter(lab.connections(34, 80, where="exposed-1", to=lab.HUB))
        enter(lab.connections(12, 80, where="dead-1", to=lab.HUB))
        holders = [enter(lab.connections(size, 80, where="failing-1", to=lab.HUB)) for size in BURSTS]
        resets = enter(lab.connections(6, 80, reset=True, where="failing-1", to=lab.HUB))

        wait_until(0.4)
        exporters["dead-1"].close()
        resets.kill()
        while holders and time.time() < start + seconds - TURN_SECONDS / 2:
            holders.pop(0).kill()
            time.sleep(TURN_SECONDS)
        wait_until(1)
        (folder / "pages").mkdir(exist_ok=True)
        for name in PAGES:
            (folder / "pages" / f"{name}.html").write_text(lab.get(f"http://{addresses[name]}:10061/")[1])
    (folder / "story.json").write_text(json.dumps({"start": start, "end": time.time() - SCRAPE_SECONDS}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=12)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    shutil.rmtree(folder / "data", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    play(folder, 60 * arguments.minutes)


if __name__ == "__main__":
    try:
        lab.enter()
    except lab.Refused as refused:
        sys.exit(str(refused))
    main()
