"""Builders for the parts of a Grafana dashboard in classic JSON. Nothing here knows what a finwait metric means."""

JOBS = 'job=~"$job"'
SELECTED = f'{JOBS},instance=~"$instance"'
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Of what was not read, is not scraped or cannot be told: never green, never 0.
UNKNOWN_COLOR = "purple"
PER_SECOND = "suffix:/s"


def series(name, *matchers):
    """A selector of `name` on the chosen jobs and instances."""
    return f"{name}{{{','.join([SELECTED, *matchers])}}}"


def of_jobs(name, *matchers):
    """The same of the chosen jobs only, for what is recorded of all hosts of a job together."""
    return f"{name}{{{','.join([JOBS, *matchers])}}}"


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


def values_to_text(texts, missing=None):
    """A value mapping from {value: (text, color)}; `missing` is the (text, color) of no value."""
    options = {str(v): {"text": text, "color": color, "index": i} for i, (v, (text, color)) in enumerate(texts.items())}
    mappings = [{"type": "value", "options": options}]
    if missing:
        result = {"text": missing[0], "color": missing[1], "index": len(texts)}
        mappings.append({"type": "special", "options": {"match": "null+nan", "result": result}})
    return mappings


def judged(*pairs):
    """Thresholds of a number that may be missing: what nobody read is UNKNOWN_COLOR, and 0 the first pair's colour."""
    return steps((None, UNKNOWN_COLOR), *pairs)


def some_of(expr, by, ever, legend):
    """`expr` (by the labels `by`) without the series that were 0 all the time shown: `ever` is above 0 for the others.
    Where all were, one line at 0, called none."""
    labels = ", ".join(by)
    none = f'label_replace(0 * sum({expr}), "{by[0]}", "none", "", "")'
    return query(f"{expr} and on ({labels}) {ever} > 0 or {none} unless on () {ever} > 0", legend)


def rates(name, *by, matchers=(), legend=None):
    """The rates of a counter by labels, those left out that did not rise in the time shown."""
    selector = series(name, *matchers)
    labels = ", ".join(by)
    return some_of(
        f"sum by ({labels}) (rate({selector}[$__rate_interval]))",
        by,
        f"sum by ({labels}) (increase({selector}[$__range] @ end()))",
        legend or " ".join(f"{{{{{label}}}}}" for label in by),
    )


def gauges(name, *by, matchers=(), of=series):
    """Sums of a gauge by labels, those left out that were 0 all the time shown."""
    selector = of(name, *matchers)
    labels = ", ".join(by)
    return some_of(
        f"sum by ({labels}) ({selector})",
        by,
        f"sum by ({labels}) (max_over_time({selector}[$__range] @ end()))",
        " ".join(f"{{{{{label}}}}}" for label in by),
    )


def steps_up(selector):
    """How much a counter rose since the step before: over all steps each event counts once. rate() and increase() over
    $__rate_interval look back four scrapes and more, and show one event in each step within."""
    return f"clamp_min({selector} - ({selector} offset $__interval), 0)"


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
    interval = defaults.pop("interval", None)
    panel = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": [target | {"refId": chr(ord("A") + i)} for i, target in enumerate(targets)],
        "fieldConfig": {"defaults": {"unit": unit} | defaults, "overrides": overrides},
        "options": options,
    }
    more = {"transformations": transformations, "interval": interval}
    return panel | {name: value for name, value in more.items() if value}


def _reduce_last():
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def timeseries(
    title,
    description,
    unit,
    *targets,
    stack=False,
    bars=False,
    log=False,
    bands=False,
    limit=False,
    by_value=False,
    overrides=(),
    **defaults,
):
    """Lines, or bars for counts per step. `bands` colours the background between thresholds, `limit` draws each
    threshold as a line, `by_value` colours the line by the threshold that it is above."""
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 30 if stack else 5,
        "lineWidth": 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
        "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
        "thresholdsStyle": {"mode": "area" if bands else "dashed" if limit else "off"},
    }
    if by_value:
        custom |= {"gradientMode": "scheme", "lineWidth": 2}
    # Zeros lie at the bottom of an axis to 1, not of Grafana's 100.
    if "max" not in defaults and not log:
        custom["axisSoftMax"] = 1 if unit in ("short", "none", "pps") else 0.1
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    color = {"mode": "thresholds" if by_value else "palette-classic"}
    defaults = {"min": 0, "color": color, "custom": custom} | defaults
    if log:
        del defaults["min"]
    if bars:
        defaults["interval"] = "1m"
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
    if filled and "noValue" not in defaults:
        defaults["noValue"] = "cannot tell"
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
        "text": {"titleSize": 11, "valueSize": 20},
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


def table(title, description, unit, *targets, sort_by, descending=True, columns, numbers=(), overrides=(), **defaults):
    """`columns` is {field: heading} in display order; fields that are not named are hidden. `sort_by` is one heading, or
    several, the first before the next. `numbers` are fields that come as text."""
    merged = [{"id": "merge", "options": {}}] if len(targets) > 1 else []
    if numbers:
        conversions = [{"targetField": name, "destinationType": "number"} for name in numbers]
        merged.append({"id": "convertFieldType", "options": {"conversions": conversions, "fields": {}}})
    sort_by = [sort_by] if isinstance(sort_by, str) else sort_by
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
        "sortBy": [{"displayName": name, "desc": descending} for name in sort_by],
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


def row(title, collapsed=False):
    return {"type": "row", "title": title, "collapsed": collapsed, "panels": []}
