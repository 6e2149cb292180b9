"""What the checks of this folder share: reading the dashboards, their queries, and PromQL without its strings."""

import collections
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FILES = ["fleet.json", "host.json", "exporter.json"]


def load():
    """[(file name, dashboard)]"""
    return [(name, json.loads((ROOT / "dashboards" / name).read_text())) for name in FILES]


def panels(dashboard):
    """Every panel that shows data, those in folded rows among them, rows left out."""
    everything = [one for panel in dashboard["panels"] for one in [panel, *panel.get("panels", [])]]
    return [panel for panel in everything if panel["type"] != "row"]


def substitute(expr, job=".+", instance=".+", rate_interval="4m", time_range="1h", interval="1m", stage=">= 0"):
    """The expression as Grafana would send it."""
    values = {
        "job": job,
        "instance": instance,
        "stage": stage,
        "__rate_interval": rate_interval,
        "__range": time_range,
        "__interval": interval,
    }
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values[match[1]], expr)


Selector = collections.namedtuple("Selector", ["metric", "matchers", "before", "after"])


def selectors(expr):
    """Every vector selector with braces: its metric, {label: (operator, value)}, and the text on both sides."""
    for match in re.finditer(r"([a-zA-Z_:][\w:]*)\{", expr):
        end = _closing_brace(expr, match.end())
        yield Selector(match[1], _matchers(expr[match.end() : end]), expr[: match.start()], expr[end + 1 :])


def _closing_brace(expr, start):
    quoted = False
    for i in range(start, len(expr)):
        if expr[i] == '"' and expr[i - 1] != "\\":
            quoted = not quoted
        elif expr[i] == "}" and not quoted:
            return i
    raise ValueError(f"no closing brace in {expr}")


def _matchers(text):
    return {
        label: (operator, value) for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"((?:\\.|[^"\\])*)"', text)
    }


def bare_metrics(expr):
    """Metrics that stand without braces, and so without the job and instance that the reader chose."""
    without_strings = re.sub(r'"(\\.|[^"\\])*"', '""', expr)
    words = re.findall(r"(?<![\w:$])([a-zA-Z_:][\w:]*)(?![\w:{])", without_strings)
    return [
        word
        for word in words
        if ":" in word or word.startswith(("finwait_", "process_", "scrape_")) or word in ("up", "ALERTS")
    ]


def expressions(dashboard):
    """[(where, expression)] of all that the dashboard asks: panels, annotations, its variables' selectors."""
    found = [(panel["title"], target["expr"]) for panel in panels(dashboard) for target in panel["targets"]]
    found += [(f"annotation {a['name']}", a["expr"]) for a in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            selector = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])[1]
            found.append((f"variable {variable['name']}", selector))
    return found
