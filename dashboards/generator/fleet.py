"""The Fleet dashboard: which hosts are worst, and how the fleet does over time."""

from dashboard import dashboard
from panels import (
    bargauge,
    colored,
    column,
    instant,
    override,
    query,
    series,
    stat,
    steps,
    table,
    timeseries,
    values_to_text,
)
from vocabulary import CAUSE_COLORS, FATE_COLORS, FIRING, PROVEN_CAUSES, SCORE_BANDS, SCORE_THRESHOLDS, STAGE_COLORS

HOST_PAGE = "/d/finwait-host?var-datasource=${datasource}&${__url_time_range}&var-job="
FROM_SERIES = [
    {"title": "This host's story", "url": HOST_PAGE + "${__field.labels.job}&var-instance=${__field.labels.instance}"}
]
FROM_ROW = [
    {"title": "This host's story", "url": HOST_PAGE + "${__data.fields.Job}&var-instance=${__data.fields.Host}"}
]

SCORE = series("finwait_risk_score")
STUCK = "instance_cause:finwait_tcp_sockets_stuck:increase15m"
AT_RISK = "instance:finwait_tcp_at_risk_sockets:sum"


def _worst_hosts(expr):
    """`expr` per host, for the hosts with the highest scores only."""
    return column(f"max by (job, instance) ({expr}) and on (job, instance) topk(50, {SCORE})")


def _ten_highest(selector, legend="{{instance}}"):
    """The series with the ten highest maxima of the whole time shown, so that lines do not come and go."""
    return query(f"{selector} and topk(10, max_over_time({selector}[$__range] @ end()))", legend)


def _hosts_by_stage():
    alarm = STAGE_COLORS | {"not judged": "purple", "down": "purple"}
    known = series("finwait_collector_success")
    seen = f"last_over_time({series('finwait_exporter_build_info')}[$__range])"
    return stat(
        "Hosts by stage",
        "How many hosts are in each stage now. Not judged: scraped, but without a risk score, because an input is "
        "missing. Down: seen in the time shown, and its last scrape failed.",
        "none",
        *[
            instant("sum(" + series("finwait_risk_stage", f'stage="{stage}"') + ") or vector(0)", stage)
            for stage in reversed(STAGE_COLORS)
        ],
        instant(
            f"count(count by (job, instance) ({known}) unless on (job, instance) {SCORE}) or vector(0)", "not judged"
        ),
        instant(f"count(({series('up')} == 0) and on (job, instance) {seen}) or vector(0)", "down"),
        text="value_and_name",
        filled=True,
        overrides=[override(name, thresholds=steps((None, "green"), (1, color))) for name, color in alarm.items()],
    )


def _worst_hosts_table():
    stages = values_to_text(dict(enumerate(STAGE_COLORS.items())))
    filled = {"type": "color-background", "mode": "basic"}
    some = steps((None, "transparent"), (1, "orange"))
    return table(
        "Worst hosts",
        "The 50 hosts with the highest risk score; click one for its story. Stuck: sockets that got stuck in the last "
        "15 minutes with a proven conntrack cause. At risk: live sockets that would stick if closed now. Losing "
        "track: tracked ones whose entry will expire before their keepalive. Drops: address families in which a "
        "forgotten connection's FIN is dropped. Needs the recording rules.",
        "none",
        _worst_hosts(SCORE),
        _worst_hosts(series("instance:finwait_risk_stage:rank")),
        _worst_hosts(f"sum without (cause) ({series(STUCK, PROVEN_CAUSES)})"),
        _worst_hosts(series(AT_RISK)),
        _worst_hosts(series("instance:finwait_tcp_at_risk_sockets:ratio")),
        _worst_hosts(series("finwait_tcp_expiring_sockets")),
        _worst_hosts(series("instance_packet:finwait_firewall_path_verdict:sum_drop", 'packet="fin"')),
        _worst_hosts(series("finwait_sysctl_conntrack_tcp_timeout_seconds", 'state="established"')),
        _worst_hosts(series("instance:finwait_conntrack_entries:ratio")),
        _worst_hosts(f"count by (job, instance) ({FIRING})"),
        sort_by="Score",
        columns={
            "job": "Job",
            "instance": "Host",
            "Value #A": "Score",
            "Value #B": "Stage",
            "Value #J": "Alerts",
            "Value #C": "Stuck",
            "Value #D": "At risk",
            "Value #E": "of live",
            "Value #F": "Losing track",
            "Value #G": "Drops",
            "Value #H": "Established timeout",
            "Value #I": "Table",
        },
        overrides=[
            override("Job", custom_hidden=True),
            override("Host", links=FROM_ROW, custom_minWidth=200),
            override(
                "Score",
                decimals=0,
                min=0,
                max=100,
                thresholds=SCORE_THRESHOLDS,
                custom_cellOptions={"type": "gauge", "mode": "basic"},
            ),
            override("Stage", mappings=stages, custom_cellOptions=filled),
            override(
                "Stuck", decimals=0, thresholds=steps((None, "transparent"), (0.5, "red")), custom_cellOptions=filled
            ),
            override("At risk", thresholds=some, custom_cellOptions=filled),
            override("of live", unit="percentunit", decimals=1),
            override("Losing track", thresholds=some),
            override("Drops", thresholds=some, custom_cellOptions=filled),
            override("Established timeout", unit="s"),
            override(
                "Table",
                unit="percentunit",
                decimals=0,
                thresholds=steps((None, "transparent"), (0.5, "yellow"), (0.9, "red")),
                custom_cellOptions=filled,
            ),
        ],
    )


def _over_time():
    return [
        timeseries(
            "Risk score, ten worst hosts",
            "The ten hosts with the highest score within the time shown. From 70 on a failure is proven; from 40 on "
            "live sockets would fail; from 1 on a drop path exists. Click a line for its host.",
            "none",
            _ten_highest(SCORE),
            bands=True,
            max=100,
            thresholds=SCORE_BANDS,
            links=FROM_SERIES,
        ),
        timeseries(
            "Hosts by stage over time",
            "How many hosts were in each stage. Hosts that cannot be judged are in none.",
            "short",
            query(f"sum by (stage) ({series('finwait_risk_stage')})", "{{stage}}"),
            stack=True,
            overrides=colored(STAGE_COLORS),
        ),
        timeseries(
            "Newly stuck sockets by cause",
            "Sockets of all chosen hosts that got stuck within the 15 minutes before each point. Warm colours are "
            "conntrack failures; blue ones are ordinary (peer gone, no route, window closed). Needs the recording "
            "rules.",
            "short",
            query(f"sum by (cause) ({series(STUCK)})", "{{cause}}"),
            stack=True,
            overrides=colored(CAUSE_COLORS),
        ),
        timeseries(
            "Newly stuck sockets, ten worst hosts",
            "Sockets that got stuck with a proven conntrack cause within the 15 minutes before each point. Needs the "
            "recording rules.",
            "short",
            _ten_highest(series(STUCK, PROVEN_CAUSES), "{{instance}} {{cause}}"),
            links=FROM_SERIES,
        ),
        timeseries(
            "Sockets at risk by fate",
            "Live sockets of all chosen hosts without a conntrack entry, by what would happen if they closed now.",
            "short",
            query(f"sum by (fate) ({series('finwait_tcp_at_risk_sockets')})", "{{fate}}"),
            stack=True,
            overrides=colored(FATE_COLORS),
        ),
        timeseries(
            "Sockets at risk, ten worst hosts",
            "Live sockets that would stick, or leave their peer stuck, if they closed now. Needs the recording rules.",
            "short",
            _ten_highest(series(AT_RISK)),
            links=FROM_SERIES,
        ),
    ]


def _why():
    return [
        bargauge(
            "Hosts that drop a closing packet",
            "On how many hosts the rules drop this packet of a connection without a conntrack entry, in either "
            "address family. fin, rst and data go out, ack and peer_fin come in, forwarded_fin passes through.",
            "none",
            instant(
                f"count by (packet) ({series('instance_packet:finwait_firewall_path_verdict:sum_drop')} > 0)"
                f" or 0 * count by (packet) ({series('instance_packet:finwait_firewall_path_verdict:sum_drop')})",
                "{{packet}}",
            ),
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
            sort_by="Hosts",
            descending=False,
            columns={"seconds": "Timeout in seconds", "Value": "Hosts"},
        ),
        timeseries(
            "Conntrack table, ten fullest",
            "Entries as a share of nf_conntrack_max. A full table drops the packets of new connections. Needs the "
            "recording rules.",
            "percentunit",
            _ten_highest(series("instance:finwait_conntrack_entries:ratio")),
            max=1,
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
            (None, 4, [(24, _hosts_by_stage())]),
            (None, 10, [(24, _worst_hosts_table())]),
            ("Over time", 8, [(12, panel) for panel in over_time]),
            ("Why", 8, [(8, panel) for panel in _why()]),
        ],
    )
