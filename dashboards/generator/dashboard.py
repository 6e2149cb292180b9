"""Puts panels into a dashboard: variables, links, annotations, and the 24-column grid."""

import dataclasses

from panels import DATASOURCE, row

GRID_WIDTH = 24


@dataclasses.dataclass
class Section:
    """Panels below a heading (None: no heading), which flow left to right: [(width, panel), ...], all of one height.
    A folded one asks nothing before somebody opens it."""

    title: str | None
    height: int
    panels: list
    folded: bool = False


def _query_variable(name, label, expr, **more):
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": expr, "refId": "StandardVariableQuery"},
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "multi": True,
        "allValue": ".+",
    } | more


def _variables(one_host):
    everything = {"includeAll": True, "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    variables = [
        {
            "type": "datasource",
            "name": "datasource",
            "label": "Data source",
            "query": "prometheus",
            "refresh": 1,
            "regex": "",
        },
        _query_variable("job", "Job", "label_values(finwait_exporter_build_info, job)", **everything),
        _query_variable(
            "instance",
            "Instance",
            'label_values(finwait_exporter_build_info{job=~"$job"}, instance)',
            # Two hosts would be added up without a word.
            **({"includeAll": False, "multi": False} if one_host else everything),
        ),
        # For labels of the reader's own, such as a cluster.
        {"type": "adhoc", "name": "filters", "label": "Filters", "datasource": DATASOURCE},
    ]
    return variables + (_page_variables() if one_host else [])


def choice(name, label, values):
    """A variable with {text: value}; the first one is chosen at first."""
    chosen = next(iter(values.items()))
    return {
        "type": "custom",
        "name": name,
        "label": label,
        "query": ",".join(f"{text} : {value}" for text, value in values.items()),
        "current": {"selected": True, "text": chosen[0], "value": chosen[1]},
        "options": [
            {"selected": number == 0, "text": text, "value": value}
            for number, (text, value) in enumerate(values.items())
        ],
        "multi": False,
        "includeAll": False,
    }


def _text(name, label, value):
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "query": value,
        "current": {"selected": True, "text": value, "value": value},
        "options": [{"selected": True, "text": value, "value": value}],
    }


def _page_variables():
    """Where the host's own page is. Instance may be a node's name without a port, so the host is taken out of it."""
    host = _query_variable(
        "host",
        "Host",
        'label_values(finwait_exporter_build_info{job=~"$job",instance=~"$instance"}, instance)',
        regex=r"/^(\[.+\]|[^:]+)/",
        multi=False,
        includeAll=False,
        hide=2,
    )
    return [
        host,
        choice("scheme", "Page by", {"http": "http", "https": "https"}),
        _text("port", "Port", "10061"),
        _text("runbook", "Runbook", "dashboards/runbook.md") | {"hide": 2},
    ]


def annotation(name, color, expr, text, value_is_time=False, enable=True):
    """`value_is_time`: the value is the event's time in ms; otherwise the event is where the series exists."""
    return {
        "name": name,
        "enable": enable,
        "iconColor": color,
        "datasource": DATASOURCE,
        "expr": expr,
        "step": "60s",
        "tagKeys": "",
        "textFormat": text,
        "titleFormat": name,
    } | ({"useValueForTime": "on"} if value_is_time else {})


def _place(sections):
    """Rows and panels with their places and numbers. The panels of a folded section lie within its row."""
    placed, y, number = [], 0, 0

    def put(panel, x, width, height):
        nonlocal number
        number += 1
        return panel | {"gridPos": {"x": x, "y": y, "w": width, "h": height}, "id": number}

    for section in sections:
        into = placed
        if section.title:
            placed.append(put(row(section.title, section.folded), 0, GRID_WIDTH, 1))
            into = placed[-1]["panels"] if section.folded else placed
            y += 1
        top, x = y, 0
        for width, panel in section.panels:
            if x + width > GRID_WIDTH:
                x, y = 0, y + section.height
            into.append(put(panel, x, width, section.height))
            x += width
        y = top if section.folded else y + section.height
    return placed


def _dashboard_links(one_host):
    common = {"tags": [], "asDropdown": False, "includeVars": False, "keepTime": False, "targetBlank": False}
    others = common | {
        "type": "dashboards",
        "title": "finwait",
        "tags": ["finwait"],
        "tooltip": "The other finwait dashboards, same host and time",
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
    }
    own_page = common | {
        "type": "link",
        "title": "The host's own page",
        "tooltip": "The exporter's diagnosis with its advice, at the scheme and port chosen beside Instance",
        "icon": "doc",
        "url": "${scheme}://${host}:${port}/",
        "targetBlank": True,
    }
    return [others, own_page] if one_host else [others]


def dashboard(uid, title, description, sections, one_host=False, since="now-6h", annotations=(), variables=()):
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["finwait"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": since, "to": "now"},
        "timezone": "browser",
        "annotations": {"list": list(annotations)},
        "links": _dashboard_links(one_host),
        "templating": {"list": [*_variables(one_host), *variables]},
        "panels": _place(sections),
    }
