"""The Fleet dashboard: which hosts are worst, and how the fleet does over time."""

import urllib.parse

from dashboard import Section, choice, dashboard
from panels import (
    UNKNOWN_COLOR,
    bargauge,
    colored,
    column,
    fixed,
    gauges,
    instant,
    of_jobs,
    override,
    query,
    series,
    stat,
    steps,
    table,
    timeseries,
    values_to_text,
)
from vocabulary import CAUSE_COLORS, FATE_COLORS, FIRING, SCORE_BANDS, SCORE_THRESHOLDS, STAGE_COLORS

HOST_PAGE = "/d/finwait-host?var-datasource=${datasource}&${__url_time_range}&var-job="
FROM_SERIES = [
    {"title": "This host's story", "url": HOST_PAGE + "${__field.labels.job}&var-instance=${__field.labels.instance}"}
]
FROM_ROW = [
    {"title": "This host's story", "url": HOST_PAGE + "${__data.fields.Job}&var-instance=${__data.fields.Host}"}
]

AT_RISK = "instance:finwait_tcp_at_risk_sockets:sum"

# Where a host stands (rules.yaml): the stage's number, and a thousandth of the score added. The worst first, and what nobody
# knows between what would fail and what might: {text: (number, which, colour)}.
STANDING = series("instance:finwait_risk_stage:order")
ORDER = {
    "failing": (3, ">= 3", STAGE_COLORS["failing"]),
    "exposed": (2, ">= 2 < 3", STAGE_COLORS["exposed"]),
    "cannot tell": (1.5, "== 1.5", UNKNOWN_COLOR),
    "down": (1.4, "== 1.4", UNKNOWN_COLOR),
    "latent": (1, ">= 1 < 1.4", STAGE_COLORS["latent"]),
    "none": (0, "< 1", STAGE_COLORS["none"]),
}
STAGE_CHOICE = {"All": ">= 0"} | {text: which for text, (_, which, _) in ORDER.items()}
WORST = f"topk(50, max by (job, instance) ({STANDING} $stage))"


def _worst_hosts(expr):
    """`expr` per host, for the worst hosts of the chosen stage only."""
    return column(f"max by (job, instance) ({expr}) and on (job, instance) {WORST}")


def _ten_highest(name):
    """The ten hosts whose maximum of the whole time shown is highest, of those that are recorded as the worst of their job
    at some moment; one line at 0 where there is none."""
    selector = series(name)
    ten = f"topk(10, max by (job, instance) (max_over_time({selector}[$__range] @ end())))"
    none = 'label_replace(vector(0), "instance", "none", "", "")'
    return query(f"{selector} and on (job, instance) {ten} or {none} unless on () {ten}", "{{instance}}")


def _hosts_by_stage():
    def show(text):
        url = (
            "/d/finwait-fleet?var-datasource=${datasource}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
        )
        return [
            {
                "title": "Only these below",
                "url": f"{url}&var-stage={urllib.parse.quote(ORDER[text][1])}",
            }
        ]

    return stat(
        "Hosts by stage",
        "How many hosts are in each stage now; click one for their names below. Cannot tell: scraped, but without a risk "
        "score, because an input is missing. Down: answered within six hours, and its last scrape failed. Needs the recording rules.",
        "none",
        *[
            instant(f"count(max by (job, instance) ({STANDING} {which})) or vector(0)", text)
            for text, (_, which, _) in ORDER.items()
        ],
        text="value_and_name",
        filled=True,
        overrides=[
            override(
                text,
                thresholds=steps((None, "green"), (1, color)) if text != "none" else steps((None, "text"), (1, color)),
                links=show(text),
            )
            for text, (_, _, color) in ORDER.items()
        ],
    )


def _worst_hosts_table():
    stages = values_to_text({number: (text, color) for text, (number, _, color) in ORDER.items()})
    filled = {"type": "color-background", "mode": "basic"}
    some = steps((None, "transparent"), (1, "orange"))
    return table(
        "Worst hosts",
        "The 50 worst hosts of the stage chosen above; click one for its story. Got stuck: sockets that got stuck in the "
        "last 15 minutes with a proven conntrack cause. At risk: live sockets that would stick if closed now. Losing "
        "track: tracked ones whose entry will expire before their keepalive. FIN dropped: address families in which a "
        "forgotten connection's FIN is dropped; 1 also where only some sockets of the last 15 minutes lose it, nothing where that is unknown or the host is down. Needs the recording rules.",
        "none",
        column(f"{WORST} == 1.5 or {WORST} == 1.4 or floor({WORST})"),
        _worst_hosts(series("finwait_risk_score")),
        _worst_hosts(series("instance:finwait_tcp_sockets_stuck:proven15m")),
        _worst_hosts(series(AT_RISK)),
        _worst_hosts(series("instance:finwait_tcp_at_risk_sockets:ratio")),
        _worst_hosts(series("finwait_tcp_expiring_sockets")),
        _worst_hosts(series("instance_packet:finwait_firewall_path_verdict:known_drop", 'packet="fin"')),
        _worst_hosts(series("finwait_sysctl_conntrack_tcp_timeout_seconds", 'state="established"')),
        _worst_hosts(series("instance:finwait_conntrack_entries:ratio")),
        _worst_hosts(f"count by (job, instance) ({FIRING})"),
        sort_by=["Stage", "Score"],
        columns={
            "job": "Job",
            "instance": "Host",
            "Value #B": "Score",
            "Value #A": "Stage",
            "Value #J": "Alerts",
            "Value #C": "Got stuck, 15 min",
            "Value #D": "At risk",
            "Value #E": "of live",
            "Value #F": "Losing track",
            "Value #G": "FIN dropped (families)",
            "Value #H": "Established timeout",
            "Value #I": "Conntrack table full",
        },
        overrides=[
            override("Job", custom_hidden=True),
            override("Host", links=FROM_ROW, custom_minWidth=180),
            override(
                "Score",
                decimals=0,
                min=0,
                max=100,
                thresholds=SCORE_THRESHOLDS,
                custom_cellOptions={"type": "gauge", "mode": "basic"},
                custom_minWidth=150,
            ),
            override("Stage", mappings=stages, custom_cellOptions=filled, custom_width=100),
            override("Alerts", custom_width=75),
            override(
                "Got stuck, 15 min",
                decimals=0,
                thresholds=steps((None, "transparent"), (0.5, "red")),
                custom_cellOptions=filled,
                custom_width=140,
            ),
            override("At risk", thresholds=some, custom_cellOptions=filled, custom_width=80),
            override("of live", unit="percentunit", decimals=1, custom_width=80),
            override("Losing track", thresholds=some, custom_width=115),
            override("FIN dropped (families)", thresholds=some, custom_cellOptions=filled, custom_width=180),
            override("Established timeout", unit="s", custom_width=160),
            override(
                "Conntrack table full",
                unit="percentunit",
                decimals=0,
                thresholds=steps((None, "transparent"), (0.5, "yellow"), (0.9, "red")),
                custom_cellOptions=filled,
                custom_width=165,
            ),
        ],
    )


def _over_time():
    return [
        timeseries(
            "Risk score, ten worst hosts",
            "The ten hosts with the highest score within the time shown. From 70 on a failure is proven; from 40 on "
            "live sockets would fail; from 1 on a drop path exists. A line has gaps while its host is not among the 50 worst of its "
            "job. Needs the recording rules. Click a line for its host.",
            "none",
            _ten_highest("instance:finwait_risk_score:worst"),
            bands=True,
            max=100,
            thresholds=SCORE_BANDS,
            links=FROM_SERIES,
        ),
        timeseries(
            "Hosts by stage over time",
            "How many hosts of the chosen jobs were in each stage, the worst on top; cannot tell: scraped without a risk score. "
            "Needs the recording rules.",
            "short",
            *[query("sum(" + of_jobs("stage:finwait_risk_stage:sum", f'stage="{stage}"') + ")", stage) for stage in STAGE_COLORS],
            query(f"sum({of_jobs('job:finwait_risk_score:missing')})", "cannot tell"),
            stack=True,
            overrides=colored(STAGE_COLORS | {"cannot tell": UNKNOWN_COLOR}),
        ),
        timeseries(
            "Newly stuck sockets by cause, in 15 min",
            "Sockets of all hosts of the chosen jobs that got stuck within the 15 minutes before each point. Warm colours are "
            "conntrack failures; blue ones are ordinary (peer gone, no route, window closed). Needs the recording "
            "rules.",
            "short",
            gauges("cause:finwait_tcp_sockets_stuck:increase15m", "cause", of=of_jobs),
            stack=True,
            overrides=colored(CAUSE_COLORS),
        ),
        timeseries(
            "Newly stuck sockets, ten worst hosts, in 15 min",
            "Sockets that got stuck with a proven conntrack cause within the 15 minutes before each point. Needs the "
            "recording rules.",
            "short",
            _ten_highest("instance:finwait_tcp_sockets_stuck:worst15m"),
            links=FROM_SERIES,
        ),
        timeseries(
            "Sockets at risk by fate",
            "Live sockets of all hosts of the chosen jobs without a conntrack entry, by what would happen if they closed now. "
            "Needs the recording rules.",
            "short",
            gauges("fate:finwait_tcp_at_risk_sockets:sum", "fate", of=of_jobs),
            stack=True,
            overrides=colored(FATE_COLORS),
        ),
        timeseries(
            "Sockets at risk, ten worst hosts",
            "Live sockets that would stick, or leave their peer stuck, if they closed now. Needs the recording rules.",
            "short",
            _ten_highest("instance:finwait_tcp_at_risk_sockets:worst"),
            links=FROM_SERIES,
        ),
    ]


def _why():
    return [
        bargauge(
            "Hosts that drop a closing packet",
            "On how many hosts of the chosen jobs the rules drop this packet of a connection without a conntrack entry, in either "
            "address family; also where only some sockets of the last 15 minutes lose it. The grey bar is all hosts that answer and whose rules tell. Needs the recording rules. fin, rst and data go out, ack and peer_fin come in, forwarded_fin passes through.",
            "none",
            instant(f"sum by (packet) ({of_jobs('packet:finwait_firewall_path_verdict:dropping_hosts')})", "{{packet}}"),
            instant(f"sum({of_jobs('job:finwait_firewall_path_verdict:judged_hosts')})", "all hosts"),
            color={"mode": "thresholds"},
            thresholds=steps((None, "green"), (1, "red")),
            overrides=[override("all hosts", color=fixed("#8e8e8e"))],
        ),
        table(
            "Established timeouts in use",
            "How many hosts run with which nf_conntrack_tcp_timeout_established. An odd one out is often the host "
            "with the problem.",
            "none",
            column(
                'count_values("seconds", '
                + series("finwait_sysctl_conntrack_tcp_timeout_seconds", 'state="established"')
                + ")"
            ),
            sort_by="Timeout",
            descending=False,
            numbers=["seconds"],
            columns={"seconds": "Timeout", "Value": "Hosts"},
            overrides=[override("Timeout", unit="s")],
        ),
        timeseries(
            "Conntrack table, ten fullest",
            "Entries as a share of nf_conntrack_max. A full table drops the packets of new connections. Needs the "
            "recording rules.",
            "percentunit",
            _ten_highest("instance:finwait_conntrack_entries:worst"),
            links=FROM_SERIES,
        ),
    ]


def build():
    over_time = _over_time()
    return dashboard(
        "finwait-fleet",
        "finwait / Fleet",
        "Which hosts have TCP connections that cannot close, or would not, because conntrack has forgotten them.",
        [
            Section(None, 4, [(24, _hosts_by_stage())]),
            Section(None, 10, [(24, _worst_hosts_table())]),
            Section("Over time", 8, [(12, panel) for panel in over_time]),
            Section("Why", 8, [(8, panel) for panel in _why()]),
        ],
        variables=[choice("stage", "Stage", STAGE_CHOICE)],
    )
