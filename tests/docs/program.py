"""What the program has, asked of itself or read where it is made: the truth that the documents are held against."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ["FINWAIT_PROGRAM"]
COMMANDS = ("check", "explain", "plan", "pairs")


def flags_in(text):
    """Every --flag of the text; --[no-]flag is two."""
    flags = set()
    for optional_no, name in re.findall(r"--(\[no-\])?([a-z][a-z0-9._-]*[a-z0-9])", text):
        flags |= {f"--{name}", f"--no-{name}"} if optional_no else {f"--{name}"}
    return flags


def help_text(*command):
    return subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, check=True).stdout


def flags():
    return flags_in("\n".join([help_text(), *(help_text(command) for command in COMMANDS)]))


def collectors():
    return {flag.removeprefix("--collector.") for flag in flags() if flag.startswith("--collector.")}


def version():
    return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]


def paths():
    """Those that exporter/service/routes.cc serves, and the default one of the metrics."""
    return set(re.findall(r'routes\["(/[^"]*)"\]', (ROOT / "exporter/service/routes.cc").read_text())) | {"/metrics"}


def metrics():
    """Families, from docs/metrics.md, which a unit test makes of the code; histograms with the names of their series. And
    those of the command pairs, which no service has."""
    pairs = (ROOT / "exporter/pairs/report.cc").read_text()
    names = {f"finwait_{name}" for name in re.findall(r'Gauge\(\s*"(pairs_\w+)"', pairs)}
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.M):
        names |= {name} | ({f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "histogram" else set())
    return names
