"""The Host dashboard: one host's whole story, the verdict first, then why, then what happened, then the details."""

import host_details
from dashboard import Section, annotation, dashboard
from panels import (
    UNKNOWN_COLOR,
    bargauge,
    colored,
    column,
    fixed,
    gauges,
    instant,
    judged,
    override,
    query,
    series,
    some_of,
    stat,
    state_timeline,
    steps,
    steps_up,
    table,
    timeseries,
    values_to_text,
)
from vocabulary import (
    CANNOT_TELL,
    CAUSE_COLORS,
    ESTABLISHED_TIMEOUT,
    FATE_COLORS,
    FATES_THAT_STICK,
    FIRING,
    IDLE_BUCKETS,
    KEEPALIVE_TIME,
    SCORE_BANDS,
    SCORE_THRESHOLDS,
    STAGES,
)

SCORE = series("finwait_risk_score")


def _labelled(name, **labels):
    return series(name, *[f'{label}="{value}"' for label, value in labels.items()])


def _now(title, description, unit, expr, legend, thresholds, **more):
    """A tile of the verdict: what is so now, and "cannot tell" where nobody has read it."""
    return stat(
        title, description, unit, instant(expr, legend), text="value", filled=True, thresholds=thresholds, **more
    )


def _verdict():
    """The first row: what a person needs in ten seconds."""
    factors = {"none": 0, "latent": 1, "exposed": 2, "failing": 3}
    ranks = [f"{factor} * {_labelled('finwait_risk_stage', stage=stage)}" for stage, factor in factors.items()]
    rank = f"sum({' or '.join(ranks)})"
    build = series("finwait_exporter_build_info")
    evidence = series("finwait_risk_last_evidence_timestamp_seconds")
    return [
        (
            3,
            _now(
                "Last scrape",
                "Whether Prometheus reaches this exporter now, or when it last did. All that is known now is purple "
                "while it does not.",
                "dateTimeFromNow",
                f"0 * max({series('up')} == 1) or 1000 * max(max_over_time(timestamp({build})[$__range:15s]))",
                "last scrape",
                judged(),
                mappings=values_to_text({0: ("ok", "green")}, missing=("not scraped", UNKNOWN_COLOR)),
                noValue="not scraped",
            ),
        ),
        (
            3,
            _now(
                "Stage",
                "The furthest thing that is true now. none: nothing would stick. latent: a drop path exists, no live "
                "socket would fail yet. exposed: live sockets would fail if closed now. failing: proven within the "
                "last 5 minutes.",
                "none",
                rank,
                "stage",
                judged(),
                mappings=STAGES,
            ),
        ),
        (
            3,
            _now(
                "Risk score now",
                "0 none, 1-39 latent, 40-69 exposed, 70-100 failing. Absent when an input is missing that could "
                "change the stage.",
                "none",
                f"max({SCORE})",
                "score",
                SCORE_THRESHOLDS,
                decimals=0,
            ),
        ),
        (
            3,
            _now(
                "Live sockets at risk",
                "Live sockets without a conntrack entry that would stick, or leave their peer stuck, if they closed "
                "now.",
                "none",
                f"sum({series('finwait_tcp_at_risk_sockets', FATES_THAT_STICK)})",
                "at risk",
                judged((0, "green"), (1, "orange")),
            ),
        ),
        (
            3,
            _now(
                "Losing track soon",
                "Sockets still tracked, with less than half of their timeout left and no keepalive due before it ends.",
                "none",
                f"sum({series('finwait_tcp_expiring_sockets')})",
                "expiring",
                judged((0, "green"), (1, "yellow")),
            ),
        ),
        (
            3,
            _now(
                "Oldest stuck socket",
                "How long the oldest socket that is stuck now has been so.",
                "s",
                f"max({series('finwait_tcp_stuck_socket_oldest_seconds')})",
                "oldest",
                judged((0, "green"), (1, "orange"), (60, "red")),
                decimals=0,
            ),
        ),
        (
            3,
            _now(
                "Last proven failure",
                "When a socket last got stuck with a proven conntrack cause, or a reset was last dropped; never, since "
                "this exporter started.",
                "dateTimeFromNow",
                f"1000 * (max({evidence} > 0) or max({evidence}) and on () count({SCORE}))",
                "last evidence",
                judged((1, "orange")),
                mappings=values_to_text({0: ("never", "green")}, missing=CANNOT_TELL),
            ),
        ),
        (
            3,
            _now(
                "Alerts firing",
                "Alerts of this host that fire now; named below. Whether Prometheus has the rules, the alert "
                "FinwaitRulesMissing tells.",
                "none",
                f"count({FIRING}) or vector(0)",
                "alerts",
                steps((None, "green"), (1, "orange")),
            ),
        ),
    ]


def _what_happened():
    return [
        timeseries(
            "Risk score",
            "From 70 on a failure is proven; from 40 on live sockets would fail; from 1 on a drop path exists. A gap: "
            "cannot tell.",
            "none",
            query(f"max({SCORE})", "score"),
            bands=True,
            by_value=True,
            max=100,
            thresholds=SCORE_BANDS,
        ),
        timeseries(
            "What drives the score",
            "The factors, each from 0 to 1, that place the host inside its stage's band: expiring_share when latent, "
            "at_risk_share and at_risk_count when exposed, the stuck ones and lost_count when failing.",
            "percentunit",
            query(f"max by (factor) ({series('finwait_risk_factor')})", "{{factor}}"),
            max=1,
        ),
        timeseries(
            "Newly stuck sockets by cause",
            "Each socket counted once, in the bar of the time in which it got stuck, even if it lived only between two "
            "scrapes. Warm colours are conntrack failures.",
            "short",
            some_of(
                f"sum by (cause) ({steps_up(series('finwait_tcp_sockets_stuck_total'))})",
                ["cause"],
                f"sum by (cause) (increase({series('finwait_tcp_sockets_stuck_total')}[$__range] @ end()))",
                "{{cause}}",
            ),
            stack=True,
            overrides=colored(CAUSE_COLORS),
            bars=True,
        ),
        timeseries(
            "Stuck sockets by cause",
            "Closing sockets stuck at this moment: at least two tries unanswered, whether or not a process still "
            "holds them. Cannot tell: a collector that would show the cause is unavailable.",
            "short",
            gauges("finwait_tcp_stuck_sockets", "cause"),
            query(f"sum({series('finwait_tcp_stuck_sockets_undetermined')}) > 0", "cannot tell"),
            stack=True,
            overrides=[*colored(CAUSE_COLORS), override("cannot tell", color=fixed(UNKNOWN_COLOR))],
        ),
        timeseries(
            "Sockets at risk by fate",
            "Live sockets without an entry, by what would happen if they closed now. fin_dropped: their FIN is "
            "dropped here. ack_dropped: the peer's ACK is. nat_lost: the FIN leaves untranslated. peer_fin_dropped: "
            "the peer's FIN would be dropped here. peer_decides: it closes when the peer does. unknown: the rules "
            "cannot be evaluated.",
            "short",
            gauges("finwait_tcp_at_risk_sockets", "fate"),
            stack=True,
            overrides=colored(FATE_COLORS),
        ),
        timeseries(
            "Orphans",
            "Closing sockets that no process holds any more. A few in fin_wait_2 are ordinary; fin_wait_1 and "
            "last_ack should pass quickly.",
            "short",
            gauges("finwait_tcp_orphans", "state"),
            stack=True,
        ),
    ]


def _dropped_for_some():
    """Of each packet, 1 while open or closing sockets lose it, or would: the exporter has one verdict, of a connection that
    no narrower rule singles out."""
    victims = {
        "fin": (("finwait_tcp_at_risk_sockets", "fate", "fin_dropped"), ("finwait_tcp_stuck_sockets", "cause", "local_drop")),
        "ack": (("finwait_tcp_at_risk_sockets", "fate", "ack_dropped"), ("finwait_tcp_stuck_sockets", "cause", "reply_drop")),
        "peer_fin": (("finwait_tcp_at_risk_sockets", "fate", "peer_fin_dropped"),),
        "forwarded_fin": (("finwait_tcp_stuck_sockets", "cause", "forward_drop"),),
    }
    return " or ".join(
        f'label_replace(sum({_labelled(name, **{label: value})}) > 0, "packet", "{packet}", "", "")'
        for packet, series_of_it in victims.items()
        for name, label, value in series_of_it
    )


def _path_verdicts():
    """0 accept, 1 unknown, 2 drop; 3 where it is accepted in general and sockets lose it all the same, in the address
    families that have rules against INVALID packets (in both where neither has: then a rule of another kind does it)."""
    accept, unknown, drop = (
        f"max by (packet, family) ({_labelled('finwait_firewall_path_verdict', verdict=verdict)})"
        for verdict in ("accept", "unknown", "drop")
    )
    rules = f"sum by (family) ({series('finwait_firewall_invalid_drop_rules')})"
    concerned = f"{rules} >= bool on () group_left () clamp_max(max({rules}), 1)"
    some = (
        f"{accept} * on (packet) group_left () clamp_max(max by (packet) ({_dropped_for_some()}), 1)"
        f" * on (family) group_left () ({concerned})"
    )
    verdict = f"{unknown} + 2 * {drop}"
    return f"{verdict} + 3 * ({some}) or {verdict}"


def _why():
    verdicts = values_to_text(
        {0: ("accept", "green"), 1: ("unknown", UNKNOWN_COLOR), 2: ("drop", "red"), 3: ("drop for some", "orange")}
    )
    severities = {"critical": ("critical", "red"), "warning": ("warning", "orange"), "info": ("info", "blue")}
    filled = {"type": "color-background", "mode": "basic"}
    return [
        (
            12,
            state_timeline(
                "What the rules do to a forgotten connection",
                "For a connection without a conntrack entry: what happens to its FIN, RST and data on the way out, to "
                "the peer's ACK and FIN on the way in, and to a FIN passing through. Drop for some: open or closing "
                "sockets lose it to a rule for a port, an address or an interface. One drop of fin, rst or ack is "
                "enough to fail.",
                query(_path_verdicts(), "{{packet}} {{family}}"),
                mappings=verdicts,
            ),
        ),
        (
            6,
            table(
                "Rules that drop INVALID",
                "Rules that drop or reject INVALID packets now, by meaning, whether or not they have a counter. "
                "finwait_exporter check names them.",
                "none",
                column(f"sum by (backend, family, hook) ({series('finwait_firewall_invalid_drop_rules')}) > 0"),
                sort_by="Rules",
                columns={"Value": "Rules", "hook": "Hook", "family": "Family", "backend": "By"},
                overrides=[override("Rules", custom_width=70), override("By", custom_width=70)],
            ),
        ),
        (
            6,
            table(
                "Alerts",
                "Alerts of this host that fire now; click one for its section in the runbook.",
                "none",
                column(f"max by (alertname, severity) ({FIRING})"),
                sort_by="Alert",
                descending=False,
                columns={"alertname": "Alert", "severity": "Severity"},
                noValue="no alert fires",
                overrides=[
                    override(
                        "Alert", links=[{"title": "Runbook", "url": "${runbook}#${__value.text}", "targetBlank": True}]
                    ),
                    override(
                        "Severity", custom_width=90, mappings=values_to_text(severities), custom_cellOptions=filled
                    ),
                ],
            ),
        ),
        (
            12,
            timeseries(
                "Idle time of connections, as a share of their timeout",
                "How long established connections have been idle: at 100 % conntrack forgets them. Where the first "
                "keepalive lies above that (drawn at 200 % at most), idle connections lose their entry before it.",
                "percentunit",
                query(_idle_share(0.5), "median idle"),
                query(_idle_share(0.99), "99th percentile idle"),
                query(f"clamp_max(min({KEEPALIVE_TIME}) / min({ESTABLISHED_TIMEOUT} > 0), 2)", "first keepalive"),
                limit=True,
                thresholds=steps((None, "transparent"), (1, "red")),
                max=2.05,
                overrides=[
                    override("median idle", color=fixed("light-blue")),
                    override("99th percentile idle", color=fixed("blue")),
                    override(
                        "first keepalive",
                        color=fixed("orange"),
                        custom_lineStyle={"fill": "dash", "dash": [10, 10]},
                        custom_fillOpacity=0,
                    ),
                ],
            ),
        ),
        (
            12,
            bargauge(
                "Got stuck, worst 15 minutes of the last hour",
                "Sockets that got stuck within 15 minutes, by cause. It outlives the sockets, which vanish after about "
                "two minutes. local_drop: their FIN is dropped here. reply_drop: the peer's ACK is dropped here. "
                "nat_lost: the FIN left untranslated. The others are no conntrack failure. Needs the recording rules.",
                "none",
                instant(
                    "sum by (cause) (max_over_time("
                    + series("instance_cause:finwait_tcp_sockets_stuck:increase15m")
                    + "[1h]))",
                    "{{cause}}",
                ),
                decimals=0,
                overrides=colored(CAUSE_COLORS),
            ),
        ),
    ]


def _owners():
    def by_owner(name):
        return column(
            f"sum by (owner_kind, owner_namespace, owner_name, owner_container) ({series(name)}) > 0 "
            f"or 0 * sum by (owner_kind, owner_namespace, owner_name, owner_container) ({series(name)})"
        )

    return [
        (
            16,
            table(
                "Whose sockets",
                "Sockets by pod, container, unit or process: found stuck within the last hour, and at risk now. The 20 "
                "worst owners; all others together are other, without a name.",
                "none",
                by_owner("finwait_owner_stuck_sockets"),
                by_owner("finwait_owner_at_risk_sockets"),
                sort_by=["Stuck, last hour", "At risk"],
                columns={
                    "owner_kind": "Kind",
                    "owner_namespace": "Namespace",
                    "owner_name": "Name",
                    "owner_container": "Container",
                    "Value #A": "Stuck, last hour",
                    "Value #B": "At risk",
                },
                overrides=[override("Kind", custom_width=90)],
            ),
        ),
        (
            8,
            bargauge(
                "Network namespaces",
                "How many network namespaces are seen, and how well. own: this host's. observed: containers and pods, "
                "whose sockets are read through /proc. unseen: not read.",
                "none",
                instant(f"sum by (coverage) ({series('finwait_network_namespaces')})", "{{coverage}}"),
                decimals=0,
            ),
        ),
    ]


def _idle_share(quantile):
    """At most 1: a quantile is interpolated within a bucket, and the one around the timeout reaches above it."""
    return (
        f"clamp_max(histogram_quantile({quantile}, sum by (le) ({IDLE_BUCKETS})) / min({ESTABLISHED_TIMEOUT} > 0), 1)"
    )


def _changed(selector, by):
    """1 where a value is another than a minute before, which is the annotations' step: each change is marked once."""
    return f"max by ({by}) ({selector} != bool ({selector} offset 1m)) > 0"


def build():
    return dashboard(
        "finwait-host",
        "finwait / Host",
        "One host: would its connections close, do they, and what stops them.",
        [
            Section(None, 4, _verdict()),
            Section("Why", 8, _why()),
            Section("What happened", 8, [(8, panel) for panel in _what_happened()]),
            Section("Whose", 8, _owners(), folded=True),
            Section(
                "Counters",
                8,
                [(6, panel) for panel in host_details.counters()]
                + [(24, panel) for panel in host_details.other_counters()],
                folded=True,
            ),
            Section("Tracking of live connections", 8, host_details.tracking(), folded=True),
            Section("Conntrack table", 8, [(8, panel) for panel in host_details.conntrack_table()], folded=True),
            Section("Settings", 8, host_details.settings(), folded=True),
        ],
        one_host=True,
        since="now-1h",
        annotations=[
            annotation(
                "Verdict of the rules changed",
                "blue",
                _changed(series("instance_packet:finwait_firewall_path_verdict:sum_drop"), "instance, packet"),
                "What the rules do to {{packet}}",
            ),
            annotation(
                "Rules that drop INVALID changed",
                "light-blue",
                _changed(series("instance:finwait_firewall_invalid_drop_rules:sum"), "instance"),
                "How many rules drop INVALID",
            ),
            annotation(
                "Timeout changed",
                "purple",
                _changed(series("finwait_sysctl_conntrack_tcp_timeout_seconds"), "instance, state"),
                "nf_conntrack_tcp_timeout_{{state}}",
            ),
            annotation(
                "Exporter started",
                "green",
                f"{series('process_start_time_seconds')} * 1000 "
                f"and on (job, instance) {series('finwait_exporter_build_info')}",
                "finwait_exporter",
                value_is_time=True,
            ),
            # Off at first: on a Kubernetes node the rules change all day.
            annotation(
                "Ruleset changed",
                "#8e8e8e",
                f"{series('finwait_firewall_last_change_timestamp_seconds')} * 1000",
                "The firewall's rules changed, in whatever way",
                value_is_time=True,
                enable=False,
            ),
        ],
    )
