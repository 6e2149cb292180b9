"""Puts panels into a dashboard: variables, links, annotations, and the 24-column grid."""

from panels import DATASOURCE, row

GRID_WIDTH = 24


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
    return [
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
            **({"includeAll": False} if one_host else everything),
        ),
    ]


def annotation(name, color, expr, text, value_is_time=False):
    """`value_is_time`: the value is the event's time in ms; otherwise the event is where the series exists."""
    return {
        "name": name,
        "enable": True,
        "iconColor": color,
        "datasource": DATASOURCE,
        "expr": expr,
        "step": "60s",
        "tagKeys": "",
        "textFormat": text,
        "titleFormat": name,
    } | ({"useValueForTime": "on"} if value_is_time else {})


def _place(layout):
    """`layout` lists sections: (title or None, height, [(width, panel), ...]); panels flow left to right."""
    placed, y = [], 0
    for title, height, panels in layout:
        if title:
            placed.append(row(title) | {"gridPos": {"x": 0, "y": y, "w": GRID_WIDTH, "h": 1}})
            y += 1
        x = 0
        for width, panel in panels:
            if x + width > GRID_WIDTH:
                x, y = 0, y + height
            placed.append(panel | {"gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x += width
        y += height
    return [panel | {"id": i} for i, panel in enumerate(placed, start=1)]


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
        "tooltip": "The exporter's diagnosis with its advice; https if you serve it with TLS",
        "icon": "doc",
        "url": "http://${instance}/",
        "targetBlank": True,
    }
    return [others, own_page] if one_host else [others]


def dashboard(uid, title, description, layout, one_host=False, annotations=()):
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
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": list(annotations)},
        "links": _dashboard_links(one_host),
        "templating": {"list": _variables(one_host)},
        "panels": _place(layout),
    }
