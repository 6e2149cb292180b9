"""The Host dashboard: one host's whole story, the verdict first, then why, then what happened, then the details."""

import host_details
from dashboard import annotation, dashboard
from panels import (
    bargauge,
    colored,
    column,
    dashed,
    instant,
    query,
    series,
    stat,
    state_timeline,
    steps,
    table,
    timeseries,
    values_to_text,
)
from vocabulary import (
    CAUSE_COLORS,
    ESTABLISHED_TIMEOUT,
    FATE_COLORS,
    FATES_THAT_STICK,
    FIRING,
    IDLE_BUCKETS,
    KEEPALIVE_TIME,
    SCORE_BANDS,
    SCORE_THRESHOLDS,
    STAGE_COLORS,
)


def _verdict():
    """The first row: what a person needs in ten seconds."""
    return [
        (
            3,
            stat(
                "Stage",
                "The furthest thing that is true now. none: nothing would stick. latent: a drop path exists, no live "
                "socket would fail yet. exposed: live sockets would fail if closed now. failing: proven within the "
                "last 5 minutes.",
                "none",
                instant(f"sum by (stage) ({series('finwait_risk_stage')}) > 0", "{{stage}}"),
                text="name",
                filled=True,
                noValue="cannot tell",
                overrides=colored(STAGE_COLORS),
            ),
        ),
        (
            3,
            stat(
                "Risk score now",
                "0 none, 1-39 latent, 40-69 exposed, 70-100 failing. Absent when an input is missing that could "
                "change the stage.",
                "none",
                query(f"max({series('finwait_risk_score')})", "score"),
                text="value",
                graph=True,
                decimals=0,
                noValue="cannot tell",
                filled=True,
                thresholds=SCORE_THRESHOLDS,
            ),
        ),
        (
            3,
            stat(
                "Live sockets at risk",
                "Live sockets without a conntrack entry that would stick, or leave their peer stuck, if they closed "
                "now.",
                "none",
                query(f"sum({series('finwait_tcp_at_risk_sockets', FATES_THAT_STICK)})", "at risk"),
                text="value",
                graph=True,
                noValue="cannot tell",
                filled=True,
                thresholds=steps((None, "green"), (1, "orange")),
            ),
        ),
        (
            3,
            stat(
                "Losing track soon",
                "Sockets still tracked, with less than half of their timeout left and no keepalive due before it ends.",
                "none",
                query(f"sum({series('finwait_tcp_expiring_sockets')})", "expiring"),
                text="value",
                graph=True,
                noValue="cannot tell",
                filled=True,
                thresholds=steps((None, "green"), (1, "yellow")),
            ),
        ),
        (
            6,
            bargauge(
                "Got stuck, worst quarter of the last hour",
                "Sockets that got stuck within 15 minutes, the worst 15 minutes of the last hour, by cause. It "
                "outlives the sockets, which vanish after about two minutes. local_drop: their FIN is dropped here. "
                "reply_drop: the peer's ACK is dropped here. nat_lost: the FIN left untranslated. The others are no "
                "conntrack failure. Needs the recording rules.",
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
        (
            3,
            stat(
                "Oldest stuck socket",
                "How long the oldest socket that is stuck now has been so.",
                "s",
                query(f"max({series('finwait_tcp_stuck_socket_oldest_seconds')})", "oldest"),
                text="value",
                graph=True,
                noValue="cannot tell",
                filled=True,
                thresholds=steps((None, "green"), (1, "orange"), (60, "red")),
            ),
        ),
        (
            3,
            stat(
                "Last proven failure",
                "When a socket last got stuck with a proven conntrack cause, or a reset was last dropped.",
                "dateTimeFromNow",
                instant(f"max({series('finwait_risk_last_evidence_timestamp_seconds')} > 0) * 1000", "last evidence"),
                text="value",
                noValue="never",
            ),
        ),
    ]


def _what_happened():
    return [
        timeseries(
            "Risk score",
            "From 70 on a failure is proven; from 40 on live sockets would fail; from 1 on a drop path exists.",
            "none",
            query(f"max({series('finwait_risk_score')})", "score"),
            bands=True,
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
            "Each socket counted once, when it gets stuck, even if it lived only between two scrapes. Warm colours "
            "are conntrack failures.",
            "short",
            query(
                f"sum by (cause) (increase({series('finwait_tcp_sockets_stuck_total')}[$__rate_interval]))", "{{cause}}"
            ),
            stack=True,
            overrides=colored(CAUSE_COLORS),
            bars=True,
        ),
        timeseries(
            "Stuck sockets by cause",
            "Closing sockets stuck at this moment: at least two tries unanswered, whether or not a process still "
            "holds them. Cannot tell: a collector that would show the cause is blind.",
            "short",
            query(f"sum by (cause) ({series('finwait_tcp_stuck_sockets')})", "{{cause}}"),
            query(f"sum({series('finwait_tcp_stuck_sockets_undetermined')})", "cannot tell"),
            stack=True,
            overrides=colored(CAUSE_COLORS),
        ),
        timeseries(
            "Sockets at risk by fate",
            "Live sockets without an entry, by what would happen if they closed now. fin_dropped: their FIN is "
            "dropped here. ack_dropped: the peer's ACK is. nat_lost: the FIN leaves untranslated. unknown: the rules "
            "cannot be judged.",
            "short",
            query(f"sum by (fate) ({series('finwait_tcp_at_risk_sockets')})", "{{fate}}"),
            stack=True,
            overrides=colored(FATE_COLORS),
        ),
        timeseries(
            "Orphans",
            "Closing sockets that no process holds any more. A few in fin_wait_2 are ordinary; fin_wait_1 and "
            "last_ack should pass quickly.",
            "short",
            query(f"sum by (state) ({series('finwait_tcp_orphans')})", "{{state}}"),
            stack=True,
        ),
    ]


def _why():
    verdicts = values_to_text({0: ("accept", "green"), 1: ("unknown", "#8e8e8e"), 2: ("drop", "red")})
    path = "finwait_firewall_path_verdict"
    unknown, drop = series(path, 'verdict="unknown"'), series(path, 'verdict="drop"')
    return [
        (
            9,
            state_timeline(
                "What the rules do to a forgotten connection",
                "For a connection without a conntrack entry that no narrower rule singles out: what happens to its "
                "FIN, RST and data on the way out, to the peer's ACK and FIN on the way in, and to a FIN passing "
                "through. One drop of fin, rst or ack is enough to fail.",
                query(
                    f"max by (packet, family) ({unknown}) + 2 * max by (packet, family) ({drop})",
                    "{{packet}} {{family}}",
                ),
                mappings=verdicts,
            ),
        ),
        (
            4,
            table(
                "Rules that drop INVALID",
                "Rules that drop or reject INVALID packets now, by meaning, whether or not they have a counter. "
                "finwait_exporter check names them.",
                "none",
                column(f"sum by (backend, family, hook) ({series('finwait_firewall_invalid_drop_rules')}) > 0"),
                sort_by="Rules",
                columns={"hook": "Hook", "family": "Family", "backend": "Backend", "Value": "Rules"},
            ),
        ),
        (
            4,
            table(
                "Alerts",
                "Alerts of this host that fire now. Each has its section in the runbook.",
                "none",
                column(f"max by (alertname, severity) ({FIRING})"),
                sort_by="Alert",
                descending=False,
                columns={"alertname": "Alert", "severity": "Severity"},
            ),
        ),
        (
            7,
            timeseries(
                "Idle time of connections against their timeout",
                "How long established connections have been idle, and when conntrack forgets them (red). Where the "
                "keepalive (blue) lies above the timeout, idle connections lose their entry before the first probe.",
                "s",
                query(_idle_quantile(0.5), "median idle"),
                query(_idle_quantile(0.99), "99th percentile idle"),
                query(f"min({ESTABLISHED_TIMEOUT})", "timeout"),
                query(f"min({KEEPALIVE_TIME})", "first keepalive"),
                log=True,
                overrides=[dashed("timeout"), dashed("first keepalive", "blue")],
            ),
        ),
    ]


def _idle_quantile(quantile):
    return f"histogram_quantile({quantile}, sum by (le) ({IDLE_BUCKETS}))"


def build():
    timeouts_changed = f"changes({series('finwait_sysctl_conntrack_tcp_timeout_seconds')}[$__rate_interval])"
    return dashboard(
        "finwait-host",
        "finwait / Host",
        "One host: would its connections close, do they, and what stops them.",
        [
            (None, 5, _verdict()),
            ("Why", 9, _why()),
            ("What happened", 8, [(8, panel) for panel in _what_happened()]),
            ("Counters", 8, [(6, panel) for panel in host_details.counters()]),
            ("Tracking of live connections", 8, list(zip([8, 8, 8, 12, 12], host_details.tracking()))),
            ("Conntrack table", 8, [(8, panel) for panel in host_details.conntrack_table()]),
            ("Settings", 8, host_details.settings()),
        ],
        one_host=True,
        annotations=[
            annotation(
                "Ruleset changed",
                "blue",
                f"{series('finwait_firewall_last_change_timestamp_seconds')} * 1000",
                "The firewall's rules changed",
                value_is_time=True,
            ),
            annotation(
                "Timeout changed",
                "purple",
                f"sum by (instance, state) ({timeouts_changed}) > 0",
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
        ],
    )
