"""The lower half of the Host dashboard: counters, tracking, the table, the settings."""

import pathlib
import re

from panels import (
    PER_SECOND,
    colored,
    column,
    dashed,
    gauges,
    instant,
    override,
    query,
    rates,
    series,
    some_of,
    stat,
    table,
    timeseries,
    values_to_text,
)
from vocabulary import FLOW_COLORS, KEEPALIVE_TIME

# The timeouts that finwait_tcp_outlived_sockets counts for, in seconds, and as a person reads them.
TIMEOUT_LADDER = {
    60: "1 min",
    240: "4 min",
    350: "350 s",
    600: "10 min",
    900: "15 min",
    3600: "1 h",
    7440: "2 h 4 min",
    86400: "1 d",
}

# The buckets of finwait_tcp_idle_seconds by their upper bound.
IDLE_BANDS = {
    "15": "below 15 s",
    "60": "below 1 min",
    "300": "below 5 min",
    "1800": "below 30 min",
    "7200": "below 2 h",
    "86400": "below 1 d",
    "432000": "below 5 d",
    "+Inf": "longer",
}


def _bands(name, bands):
    """How many are in each bucket alone. A quantile would be made up within a bucket: more than the longest there is."""

    def up_to(bound):  # which is 15 in the text format, 15.0 in OpenMetrics
        matcher = 'le="+Inf"' if bound == "+Inf" else f'le=~"{bound}(\\\\.0)?"'
        return f"sum({series(name + '_bucket', matcher)})"

    bounds = list(bands)
    below = [None, *bounds[:-1]]
    return [
        query(up_to(bound) if last is None else f"{up_to(bound)} - {up_to(last)}", bands[bound])
        for bound, last in zip(bounds, below)
    ]


def _rates(prefix, names):
    """The rates of the counters `prefix`_name_total, side by side."""
    return [query(f"sum(rate({series(f'{prefix}_{name}_total')}[$__rate_interval]))", name) for name in names]


def _rates_that_rose(prefix, names):
    """The same in one query, without those that did not rise in the time shown."""

    def each(function, window):
        counters = [
            f'label_replace(sum({function}({series(f"{prefix}_{name}_total")}{window})), "counter", "{name}", "", "")'
            for name in names
        ]
        return f"({' or '.join(counters)})"

    return some_of(
        each("rate", "[$__rate_interval]"), ["counter"], each("increase", "[$__range] @ end()"), "{{counter}}"
    )


def counters():
    return [
        timeseries(
            "INVALID packets dropped",
            "By rules that drop INVALID and have a counter, by hook. Alone it proves nothing: any stranger can make "
            "it rise with bare FINs.",
            "pps",
            rates("finwait_firewall_invalid_drop_packets_total", "hook", "family"),
        ),
        timeseries(
            "Packets dropped by policy",
            "By the default policy of base chains. Where input drops by policy, the ACK of a forgotten connection's "
            "peer is among them.",
            "pps",
            rates("finwait_firewall_policy_drop_packets_total", "hook", "family"),
        ),
        timeseries(
            "TCP aborts",
            "failed: a RST could not be sent (dropped on the way out, if the rst verdict is drop). on_timeout: "
            "sockets given up, stuck ones among them at the end of their life. on_close and on_memory for comparison.",
            PER_SECOND,
            *_rates("finwait_netstat_tcp_abort", ["failed", "on_timeout", "on_close", "on_memory"]),
        ),
        timeseries(
            "Retransmits, timeouts, resets",
            "A FIN dropped on the way out shows in none of these; one that is not answered shows in the first two.",
            PER_SECOND,
            *_rates("finwait_netstat_tcp", ["retrans_segs", "timeouts", "out_rsts"]),
        ),
    ]


def other_counters():
    """A panel of the counters that docs/metrics.md lists below "Other counters of the kernel": a new one shows by itself."""
    document = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    section = re.search(r"^## Other counters of the kernel\n(.*?)^## ", document, re.M | re.S)
    names = re.findall(r"^\| `finwait_(\w+)_total` \| counter \|", section[1], re.M) if section else []
    if not names:
        return []
    return [
        timeseries(
            "Other counters of the kernel",
            "What else can make a close fail: a reason to look further, no proof. docs/metrics.md says what each counts.",
            PER_SECOND,
            *_rates("finwait", names),
        )
    ]


def tracking():
    remaining = series("finwait_conntrack_entry_remaining_seconds_bucket")
    timeout = series("finwait_sysctl_conntrack_tcp_timeout_seconds")
    return [
        (
            12,
            timeseries(
                "Time left before tracking is lost, as a share of the timeout",
                "The shortest tenth of the remaining lifetimes, by state. close_wait has 60 s by default: a process that "
                "closes later than that after its peer has lost its entry.",
                "percentunit",
                query(
                    f"clamp_max(histogram_quantile(0.1, sum by (state, le) ({remaining})) "
                    f"/ on (state) min by (state) ({timeout} > 0), 1)",
                    "{{state}}",
                ),
                max=1,
            ),
        ),
        (
            12,
            timeseries(
                "Entries that expired under a live connection",
                "Entries that timed out in a live state, per second. Each is a connection that was forgotten or whose "
                "ends vanished. Absent where conntrack events are off; too low where so many connections come that the "
                "exporter listens part of the time only (dashboard Exporter, lost events).",
                PER_SECOND,
                rates("finwait_conntrack_expired_total", "state", "scope"),
            ),
        ),
        (
            8,
            timeseries(
                "Live sockets without an entry",
                "Absent where conntrack is not active.",
                "short",
                query(f"sum by (state) ({series('finwait_tcp_untracked_sockets')})", "{{state}}"),
                stack=True,
            ),
        ),
        (
            8,
            timeseries(
                "Silent for longer than a timeout",
                "Live sockets that have been silent for longer than each timeout: a tracker with that timeout has forgotten "
                "them.",
                "short",
                *(
                    query(f"sum({series('finwait_tcp_outlived_sockets', matcher)})", text)
                    for matcher, text in ((f'timeout="{seconds}"', text) for seconds, text in TIMEOUT_LADDER.items())
                ),
                query(f"sum by (path) ({series('finwait_tcp_path_expiring_sockets')})", "path {{path}}"),
            ),
        ),
        (
            8,
            timeseries(
                "Live sockets by keepalive",
                "off: none. longer: the first probe comes after the timeout in force. sufficient: before it.",
                "short",
                query(f"sum by (keepalive) ({series('finwait_tcp_keepalive_sockets')})", "{{keepalive}}"),
                stack=True,
            ),
        ),
        (
            12,
            timeseries(
                "Live sockets by silence",
                "How long they have been without a packet either way.",
                "short",
                *_bands("finwait_tcp_idle_seconds", IDLE_BANDS),
                stack=True,
            ),
        ),
        (
            12,
            timeseries(
                "Sockets by state",
                "TCP sockets of this host, and of containers and pods whose network namespaces are seen.",
                "short",
                gauges("finwait_tcp_sockets", "state"),
                stack=True,
            ),
        ),
    ]


def conntrack_table():
    statistics = [
        "found",
        "invalid",
        "insert",
        "insert_failed",
        "drop",
        "early_drop",
        "error",
        "search_restart",
        "clash_resolve",
        "chain_too_long",
    ]
    entries, limit = series("finwait_conntrack_entries"), series("finwait_conntrack_entries_limit")
    return [
        timeseries(
            "Conntrack table",
            "Entries; the limit (red) is drawn once a third of it is used. The limit is for all network namespaces "
            "together; the count is this one's.",
            "short",
            query(f"sum({entries})", "entries"),
            query(f"min({limit}) < 3 * sum({entries})", "limit"),
            overrides=[dashed("limit")],
        ),
        timeseries(
            "Flows by state",
            "What is in the table: TCP by state, other protocols as they are.",
            "short",
            gauges("finwait_conntrack_flows", "protocol", "state"),
            stack=True,
            overrides=colored(FLOW_COLORS),
        ),
        timeseries(
            "Conntrack statistics",
            "Over all CPUs. insert_failed, drop and early_drop lose packets or entries.",
            PER_SECOND,
            _rates_that_rose("finwait_conntrack", statistics),
        ),
    ]


def settings():
    on_off = values_to_text({0: ("off", "text"), 1: ("on", "green")})
    events = values_to_text({0: ("off", "orange"), 1: ("on", "green"), 2: ("automatic", "green")})
    return [
        (
            6,
            table(
                "Conntrack timeouts",
                "nf_conntrack_tcp_timeout_*. established and close_wait decide when a live connection is forgotten.",
                "s",
                column(f"max by (state) ({series('finwait_sysctl_conntrack_tcp_timeout_seconds')})"),
                sort_by="State",
                descending=False,
                columns={"state": "State", "Value": "Timeout"},
            ),
        ),
        (
            6,
            stat(
                "Keepalive and closing",
                "tcp_keepalive_time, _intvl and tcp_fin_timeout.",
                "s",
                instant(f"max({KEEPALIVE_TIME})", "first keepalive"),
                instant(f"max({series('finwait_sysctl_tcp_keepalive_interval_seconds')})", "then every"),
                instant(f"max({series('finwait_sysctl_tcp_fin_timeout_seconds')})", "FIN_WAIT_2"),
                text="value_and_name",
            ),
        ),
        (
            6,
            stat(
                "Limits",
                "tcp_keepalive_probes, tcp_orphan_retries (0 means 8), tcp_max_orphans, nf_conntrack_max, "
                "nf_conntrack_buckets, and the rules on the paths read.",
                "none",
                instant(f"max({series('finwait_sysctl_tcp_keepalive_probes')})", "keepalive probes"),
                instant(f"max({series('finwait_sysctl_tcp_orphan_retries')})", "orphan retries"),
                instant(f"max({series('finwait_sysctl_tcp_orphans_limit')})", "orphans limit"),
                instant(f"min({series('finwait_conntrack_entries_limit')})", "table limit"),
                instant(f"min({series('finwait_conntrack_buckets')})", "table buckets"),
                instant(f"sum({series('finwait_firewall_rules')})", "rules read"),
                text="value_and_name",
            ),
        ),
        (
            6,
            stat(
                "Switches",
                "Whether conntrack runs for each family; tcp_loose (a bare ACK makes a new entry); tcp_be_liberal "
                "(does not help here); events (automatic: on while somebody listens).",
                "none",
                instant(f"max by (family) ({series('finwait_conntrack_active')})", "conntrack {{family}}"),
                instant(f"max({series('finwait_sysctl_conntrack_tcp_loose')})", "tcp_loose"),
                instant(f"max({series('finwait_sysctl_conntrack_tcp_be_liberal')})", "tcp_be_liberal"),
                instant(f"max({series('finwait_sysctl_conntrack_events')})", "events"),
                text="value_and_name",
                overrides=[
                    override(name, mappings=on_off)
                    for name in ("conntrack ipv4", "conntrack ipv6", "tcp_loose", "tcp_be_liberal")
                ]
                + [override("events", mappings=events)],
            ),
        ),
    ]
