"""Builders for the parts of a Grafana dashboard in classic JSON. Nothing here knows what a finwait metric means."""

SELECTED = 'job=~"$job",instance=~"$instance"'
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def series(name, *matchers):
    """A selector of `name` on the chosen jobs and instances."""
    return f"{name}{{{','.join([SELECTED, *matchers])}}}"


def query(expr, legend="", instant=False, format="time_series"):
    target = {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expr,
        "format": format,
        "legendFormat": legend or "__auto",
    }
    return target | ({"instant": True, "range": False} if instant else {"instant": False, "range": True})


def instant(expr, legend=""):
    return query(expr, legend, instant=True)


def column(expr):
    return query(expr, instant=True, format="table")


def steps(*pairs):
    """Thresholds from (value, color) pairs; the first value is None, the colour below all others."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in pairs]}


def values_to_text(texts):
    """A value mapping from {value: (text, color)}."""
    options = {str(v): {"text": text, "color": color, "index": i} for i, (v, (text, color)) in enumerate(texts.items())}
    return [{"type": "value", "options": options}]


def override(name, **properties):
    """A field override by display name. `custom_x` means custom.x."""
    ids = {key: "custom." + key[len("custom_") :] if key.startswith("custom_") else key for key in properties}
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": ids[key], "value": value} for key, value in properties.items()],
    }


def fixed(color):
    return {"mode": "fixed", "fixedColor": color}


def colored(colors):
    """Overrides that give each named series its colour."""
    return [override(name, color=fixed(color)) for name, color in colors.items()]


def dashed(name, color="red"):
    """A limit, drawn as a dashed line."""
    return override(
        name,
        color=fixed(color),
        custom_lineStyle={"fill": "dash", "dash": [10, 10]},
        custom_fillOpacity=0,
        custom_stacking={"group": "A", "mode": "none"},
    )


def _panel(kind, title, description, unit, targets, options, **defaults):
    overrides = defaults.pop("overrides", [])
    transformations = defaults.pop("transformations", None)
    panel = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": [target | {"refId": chr(ord("A") + i)} for i, target in enumerate(targets)],
        "fieldConfig": {"defaults": {"unit": unit} | defaults, "overrides": overrides},
        "options": options,
    }
    return panel | ({"transformations": transformations} if transformations else {})


def _reduce_last():
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def timeseries(
    title, description, unit, *targets, stack=False, bars=False, log=False, bands=False, overrides=(), **defaults
):
    """Lines, or bars for counts per step. `bands` colours the background between thresholds."""
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 30 if stack else 5,
        "lineWidth": 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
        "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
        "thresholdsStyle": {"mode": "area" if bands else "off"},
    }
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"min": 0, "color": {"mode": "palette-classic"}, "custom": custom} | defaults
    if log:
        del defaults["min"]
    return _panel("timeseries", title, description, unit, targets, options, overrides=list(overrides), **defaults)


def stat(title, description, unit, *targets, text="auto", graph=False, filled=False, **defaults):
    """One number, or a few side by side; `filled` colours the whole panel and is for verdicts only."""
    options = {
        "colorMode": "background" if filled else "value",
        "graphMode": "area" if graph else "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": _reduce_last(),
        "showPercentChange": False,
        "textMode": text,
        "wideLayout": True,
    }
    defaults = {"color": {"mode": "thresholds"}, "thresholds": steps((None, "text"))} | defaults
    return _panel("stat", title, description, unit, targets, options, **defaults)


def bargauge(title, description, unit, *targets, **defaults):
    options = {
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 300,
        "minVizHeight": 12,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": _reduce_last(),
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "text",
    }
    defaults = {"min": 0, "color": {"mode": "palette-classic"}} | defaults
    return _panel("bargauge", title, description, unit, targets, options, **defaults)


def state_timeline(title, description, *targets, mappings, **defaults):
    options = {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 70, "lineWidth": 0}
    defaults = {"color": {"mode": "thresholds"}, "custom": custom, "mappings": mappings} | defaults
    return _panel("state-timeline", title, description, "none", targets, options, **defaults)


def heatmap(title, description, unit, *targets):
    """Of a histogram that is a snapshot: each column is the table at that time, nothing is a rate."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scheme": "Oranges",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    return _panel("heatmap", title, description, unit, targets, options)


def table(title, description, unit, *targets, sort_by, descending=True, columns, overrides=(), **defaults):
    """`columns` is {field: heading} in display order; fields that are not named are hidden."""
    merged = [{"id": "merge", "options": {}}] if len(targets) > 1 else []
    names = list(columns)
    organize = {
        "id": "organize",
        "options": {
            "excludeByName": {},
            "indexByName": {name: i for i, name in enumerate(names)},
            "renameByName": columns,
        },
    }
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": list(columns.values())}}}
    options = {
        "cellHeight": "sm",
        "frameIndex": 0,
        "footer": {"countRows": False, "reducer": ["sum"], "show": False},
        "showHeader": True,
        "sortBy": [{"displayName": sort_by, "desc": descending}],
    }
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    return _panel(
        "table",
        title,
        description,
        unit,
        targets,
        options,
        custom=custom,
        overrides=list(overrides),
        transformations=[*merged, organize, keep],
        **defaults,
    )


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": []}
