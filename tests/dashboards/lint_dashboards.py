#!/usr/bin/python3
"""Lints the dashboards to the rules of grafana/dashboard-linter, by their names, and to a few of our own.

Exclusions are read from dashboards/.lint, in that tool's own format, and each must have a reason and still be needed.
"""

import collections
import itertools
import json
import re
import sys

import dashboards
import yaml

# The units of Grafana's own catalogue that we use.
UNITS = {"none", "short", "percentunit", "bytes", "s", "pps", "suffix:/s", "dateTimeFromNow"}
TEMPLATED = ("$datasource", "${datasource}")


def template_datasource_rule(dashboard):
    sources = [v for v in dashboard["templating"]["list"] if v["type"] == "datasource"]
    if [(v["name"], v["label"], v["query"]) for v in sources] != [("datasource", "Data source", "prometheus")]:
        yield None, "needs one data source variable, named datasource, labelled Data source"


def _template(dashboard, name):
    variable = next((v for v in dashboard["templating"]["list"] if v["name"] == name), {})
    wanted = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
    for key, value in wanted.items():
        if variable.get(key) != value:
            yield None, f"variable {name} should have {key} {value!r}"
    if variable.get("datasource", {}).get("uid") not in TEMPLATED:
        yield None, f"variable {name} should use the templated data source"


def template_job_rule(dashboard):
    yield from _template(dashboard, "job")


def template_instance_rule(dashboard):
    yield from _template(dashboard, "instance")


def template_label_promql_rule(dashboard):
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and not re.fullmatch(
            r"label_values\(\w+(\{.*\})?, \w+\)", variable["query"]["query"]
        ):
            yield None, f"variable {variable['name']} is not label_values(metric, label)"


def template_on_time_change_reload_rule(dashboard):
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and variable["refresh"] != 2:
            yield None, f"variable {variable['name']} should be refreshed when the time range changes"


def uneditable_dashboard(dashboard):
    if dashboard.get("editable") is not False:
        yield None, "should not be editable"


def panel_datasource_rule(dashboard):
    for panel in dashboards.panels(dashboard):
        for owner in [panel, *panel["targets"]]:
            if owner.get("datasource", {}).get("uid") not in TEMPLATED:
                yield panel, "does not use the templated data source"
    for annotation in dashboard["annotations"]["list"]:
        if annotation["datasource"].get("uid") not in TEMPLATED:
            yield None, f"annotation {annotation['name']} does not use the templated data source"


def panel_title_description_rule(dashboard):
    for panel in dashboards.panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield panel, "needs a title and a description"


def panel_no_targets_rule(dashboard):
    for panel in dashboards.panels(dashboard):
        if not panel.get("targets"):
            yield panel, "has no query"


def panel_units_rule(dashboard):
    for panel in dashboards.panels(dashboard):
        units = [panel["fieldConfig"]["defaults"].get("unit")]
        for override in panel["fieldConfig"]["overrides"]:
            units += [p["value"] for p in override["properties"] if p["id"] == "unit"]
        if not set(units) <= UNITS:
            yield panel, f"has no unit, or one that Grafana does not know: {units}"


def _targets(dashboard):
    for panel in dashboards.panels(dashboard):
        for target in panel["targets"]:
            yield panel, target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield None, annotation["expr"]


def _required_matcher(dashboard, label):
    for panel, expr in _targets(dashboard):
        for selector in dashboards.selectors(expr):
            if selector.matchers.get(label) != ("=~", f"${label}"):
                yield panel, f'{selector.metric} is not selected by {label}=~"${label}"'
        for name in dashboards.bare_metrics(expr):
            yield panel, f"{name} is selected without {label}"


def target_job_rule(dashboard):
    yield from _required_matcher(dashboard, "job")


def target_instance_rule(dashboard):
    yield from _required_matcher(dashboard, "instance")


def target_rate_interval_rule(dashboard):
    for panel, expr in _targets(dashboard):
        for selector in dashboards.selectors(expr):
            if re.search(r"\bi?rate\($", selector.before) and not selector.after.startswith("[$__rate_interval]"):
                yield panel, f"rate() of {selector.metric} should use $__rate_interval"


def target_counter_agg_rule(dashboard):
    for panel, expr in _targets(dashboard):
        for selector in dashboards.selectors(expr):
            grown = re.search(r"\b(i?rate|increase)\($", selector.before) and selector.after.startswith("[")
            if selector.metric.endswith("_total") and not grown:
                yield panel, f"counter {selector.metric} is not in rate(), irate() or increase()"


def target_histogram_rule(dashboard):
    for panel, expr in _targets(dashboard):
        if "_bucket{" in expr and "histogram_quantile(" not in expr:
            yield panel, "has buckets outside histogram_quantile()"


# Our own rules.


def unknown_is_not_green_rule(dashboard):
    """A number that nobody read has the colour of the lowest threshold: only what always has a value may be green there."""
    for panel in dashboards.panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] != "stat":
            continue
        if panel["options"]["colorMode"] == "background" and "noValue" not in defaults:
            yield panel, "fills its background and does not say what it shows without a value"
        always = all(re.search(r"or vector\(0\)$", target["expr"]) for target in panel["targets"])
        lowest = [defaults.get("thresholds"), *_properties(panel, "thresholds")]
        for thresholds in filter(None, lowest):
            if thresholds["steps"][0]["color"] in GOOD and not always:
                yield panel, f"would be {thresholds['steps'][0]['color']} without a value"


GOOD = ("green", "yellow", "blue")


def _properties(panel, name):
    overrides = panel["fieldConfig"]["overrides"]
    return [p["value"] for override in overrides for p in override["properties"] if p["id"] == name]


def now_is_now_rule(dashboard):
    """The last value of a range is the last value ever, long after a host has gone silent."""
    for panel in dashboards.panels(dashboard):
        if panel["type"] in ("stat", "bargauge", "table") and not all(t["instant"] for t in panel["targets"]):
            yield panel, "shows what is now, and asks for a range"


def each_event_once_rule(dashboard):
    """Over $__rate_interval, which is at least four scrapes, each step shows again what the steps before have shown."""
    for panel, expr in _targets(dashboard):
        if re.search(r"\b(increase|changes|resets)\([^()]*\[\$__(rate_)?interval\]", expr):
            yield panel, "counts each event in several steps"
        if "offset $__interval" in expr and panel and panel.get("interval") != "1m":
            yield panel, "compares steps that may be shorter than the time between two scrapes"


def axis_of_zeros_rule(dashboard):
    """Grafana's axis of zeros ends at 100."""
    for panel in dashboards.panels(dashboard):
        if panel["type"] == "timeseries":
            defaults = panel["fieldConfig"]["defaults"]
            logarithmic = defaults["custom"]["scaleDistribution"]["type"] == "log"
            if not logarithmic and "max" not in defaults and "axisSoftMax" not in defaults["custom"]:
                yield panel, "has an axis to 100 while everything is 0"
            if logarithmic and defaults["unit"] == "s":
                yield panel, "has ticks such as 16.7 minutes"


def details_are_folded_rule(dashboard):
    """Of the details nothing is asked before somebody opens them."""
    open_panels = sum(panel["type"] != "row" for panel in dashboard["panels"])
    if open_panels > 20:
        yield None, f"asks {open_panels} panels at once"


def links_lead_somewhere_rule(dashboard):
    for link in dashboard["links"]:
        if "instance}" in link.get("url", "") or ("://" in link.get("url", "") and "${port}" not in link["url"]):
            yield None, f"link {link['title']} takes the label instance for an address"
    for panel in dashboards.panels(dashboard):
        if "alertname" in json.dumps(panel.get("transformations", [])):
            if not any("${runbook}#" in link["url"] for links in _properties(panel, "links") for link in links):
                yield panel, "names alerts without a link to the runbook"


def churn_is_not_marked_rule(dashboard):
    """A Kubernetes node changes its rules all day."""
    for annotation in dashboard["annotations"]["list"]:
        if "last_change_timestamp" in annotation["expr"] and annotation["enable"]:
            yield None, f"annotation {annotation['name']} marks every change of the ruleset"


def filters_rule(dashboard):
    if not any(variable["type"] == "adhoc" for variable in dashboard["templating"]["list"]):
        yield None, "has no filter for labels of the reader's own"


def layout_rule(dashboard):
    everything = [one for panel in dashboard["panels"] for one in [panel, *panel.get("panels", [])]]
    for identity, count in collections.Counter(panel["id"] for panel in everything).items():
        if count > 1:
            yield None, f"has {count} panels with id {identity}"
    for panel in everything:
        grid = panel["gridPos"]
        if grid["x"] + grid["w"] > 24:
            yield panel, "reaches over the right edge"
    folded = [row["panels"] for row in dashboard["panels"] if row.get("panels")]
    together = [dashboard["panels"], *folded]  # the panels of two folded rows may have one place
    for one, other in (pair for group in together for pair in itertools.combinations(group, 2)):
        a, b = one["gridPos"], other["gridPos"]
        if (
            a["x"] < b["x"] + b["w"]
            and b["x"] < a["x"] + a["w"]
            and a["y"] < b["y"] + b["h"]
            and b["y"] < a["y"] + a["h"]
        ):
            yield one, f"overlaps {other['title']}"


def identity_rule(dashboard):
    if (
        dashboard["schemaVersion"] != 39
        or not dashboard.get("uid")
        or dashboard.get("id")
        or "finwait" not in dashboard["tags"]
    ):
        yield None, "needs schemaVersion 39, a fixed uid, no id, and the tag finwait"


def target_rule(dashboard):
    for panel in dashboards.panels(dashboard):
        references = [target["refId"] for target in panel["targets"]]
        if len(set(references)) != len(references):
            yield panel, f"has queries of one name: {references}"


def title_rule(dashboard):
    titles = collections.Counter(panel["title"] for panel in dashboards.panels(dashboard))
    for title, count in titles.items():
        if count > 1:
            yield None, f"has {count} panels called {title}"


RULES = [
    template_datasource_rule,
    template_job_rule,
    template_instance_rule,
    template_label_promql_rule,
    template_on_time_change_reload_rule,
    uneditable_dashboard,
    panel_datasource_rule,
    panel_title_description_rule,
    panel_no_targets_rule,
    panel_units_rule,
    target_job_rule,
    target_instance_rule,
    target_rate_interval_rule,
    target_counter_agg_rule,
    target_histogram_rule,
    unknown_is_not_green_rule,
    now_is_now_rule,
    each_event_once_rule,
    axis_of_zeros_rule,
    details_are_folded_rule,
    links_lead_somewhere_rule,
    churn_is_not_marked_rule,
    filters_rule,
    layout_rule,
    identity_rule,
    target_rule,
    title_rule,
]


def excluded(exclusions, used, rule, dashboard, panel):
    for index, entry in enumerate(exclusions.get(rule, {}).get("entries", [])):
        if entry["dashboard"] == dashboard["title"] and entry.get("panel") == (panel or {}).get("title"):
            used.add((rule, index))
            return True
    return False


def main():
    exclusions = yaml.safe_load((dashboards.ROOT / "dashboards/.lint").read_text())["exclusions"]
    problems, used = [], set()
    loaded = dashboards.load()
    for file_name, dashboard in loaded:
        for rule in RULES:
            name = rule.__name__.replace("_", "-")
            for panel, problem in rule(dashboard):
                if not excluded(exclusions, used, name, dashboard, panel):
                    where = f"{file_name}: {panel['title']}" if panel else file_name
                    problems.append(f"{where}: {problem} ({name})")
    uids = [dashboard["uid"] for _, dashboard in loaded]
    if len(set(uids)) != len(uids):
        problems.append(f"dashboards share a uid: {uids}")
    for rule, exclusion in exclusions.items():
        if not exclusion.get("reason"):
            problems.append(f".lint: the exclusion from {rule} has no reason")
        for index, entry in enumerate(exclusion["entries"]):
            if (rule, index) not in used:
                problems.append(f".lint: the exclusion of {entry} from {rule} is no longer needed")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(
        f"{len(loaded)} dashboards, {sum(len(dashboards.panels(d)) for _, d in loaded)} panels, {len(RULES)} rules, "
        f"{len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
