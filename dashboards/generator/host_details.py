"""The lower half of the Host dashboard: counters, tracking, the table, the settings."""

from panels import column, dashed, heatmap, instant, override, query, series, stat, table, timeseries, values_to_text
from vocabulary import IDLE_BUCKETS, KEEPALIVE_TIME


def _rate(by, name, legend):
    return query(f"sum by ({by}) (rate({series(name)}[$__rate_interval]))", legend)


def _rates(prefix, names):
    """The rates of the counters `prefix`_name_total, side by side."""
    return [query(f"sum(rate({series(f'{prefix}_{name}_total')}[$__rate_interval]))", name) for name in names]


def counters():
    return [
        timeseries(
            "INVALID packets dropped",
            "By rules that drop INVALID and have a counter, by hook. Alone it proves nothing: any stranger can make "
            "it rise with bare FINs.",
            "pps",
            _rate("hook, family", "finwait_firewall_invalid_drop_packets_total", "{{hook}} {{family}}"),
        ),
        timeseries(
            "Packets dropped by policy",
            "By the default policy of base chains. Where input drops by policy, the ACK of a forgotten connection's "
            "peer is among them.",
            "pps",
            _rate("hook, family", "finwait_firewall_policy_drop_packets_total", "{{hook}} {{family}}"),
        ),
        timeseries(
            "TCP aborts",
            "failed: a RST could not be sent (dropped on the way out, if the rst verdict is drop). on_timeout: "
            "sockets given up, stuck ones among them at the end of their life. on_close and on_memory for comparison.",
            "cps",
            *_rates("finwait_netstat_tcp_abort", ["failed", "on_timeout", "on_close", "on_memory"]),
        ),
        timeseries(
            "Retransmits, timeouts, resets",
            "A FIN dropped on the way out shows in none of these; one that is not answered shows in the first two.",
            "cps",
            *_rates("finwait_netstat_tcp", ["retrans_segs", "timeouts", "out_rsts"]),
        ),
    ]


def tracking():
    remaining = series("finwait_conntrack_entry_remaining_seconds_bucket")
    return [
        heatmap(
            "Idle time of established connections",
            "The table now, by how long each established connection has been idle. Under Why it is compared with the "
            "timeout.",
            "s",
            query(f"sum by (le) ({IDLE_BUCKETS})", "{{le}}", format="heatmap"),
        ),
        timeseries(
            "Time left before tracking is lost",
            "The shortest tenth of the remaining lifetimes, by state. close_wait has 60 s by default: a process that "
            "closes later than that after its peer has lost its entry.",
            "s",
            query(f"histogram_quantile(0.1, sum by (state, le) ({remaining}))", "{{state}}"),
            log=True,
        ),
        timeseries(
            "Entries that expired under a live connection",
            "Entries that timed out in a live state, per second. Each is a connection that was forgotten or whose "
            "ends vanished. Absent where conntrack events are off; too low where so many connections come that the "
            "exporter listens part of the time only (dashboard Exporter, lost events).",
            "cps",
            _rate("state, scope", "finwait_conntrack_expired_total", "{{state}} {{scope}}"),
        ),
        timeseries(
            "Live sockets without an entry",
            "Absent where conntrack is not active.",
            "short",
            query(f"sum by (state) ({series('finwait_tcp_untracked_sockets')})", "{{state}}"),
            stack=True,
        ),
        timeseries(
            "Sockets by state",
            "All TCP sockets of this network namespace.",
            "short",
            query(f"sum by (state) ({series('finwait_tcp_sockets')})", "{{state}}"),
            stack=True,
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
    return [
        timeseries(
            "Conntrack table",
            "Entries against the limit and the number of hash buckets. The table is shared by all network namespaces; "
            "the count is this one's.",
            "short",
            query(f"sum({series('finwait_conntrack_entries')})", "entries"),
            query(f"min({series('finwait_conntrack_entries_limit')})", "limit"),
            query(f"min({series('finwait_conntrack_buckets')})", "buckets"),
            overrides=[dashed("limit"), dashed("buckets", "blue")],
        ),
        timeseries(
            "Flows by state",
            "What is in the table: TCP by state, other protocols as they are.",
            "short",
            query(f"sum by (protocol, state) ({series('finwait_conntrack_flows')})", "{{protocol}} {{state}}"),
            stack=True,
        ),
        timeseries(
            "Conntrack statistics",
            "Per second, over all CPUs. insert_failed, drop and early_drop lose packets or entries.",
            "cps",
            *_rates("finwait_conntrack", statistics),
        ),
    ]


def settings():
    on_off = values_to_text({0: ("off", "text"), 1: ("on", "green")})
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
                "tcp_keepalive_probes, tcp_orphan_retries (0 means 8), tcp_max_orphans, and the rules on the paths "
                "read.",
                "none",
                instant(f"max({series('finwait_sysctl_tcp_keepalive_probes')})", "keepalive probes"),
                instant(f"max({series('finwait_sysctl_tcp_orphan_retries')})", "orphan retries"),
                instant(f"max({series('finwait_sysctl_tcp_orphans_limit')})", "orphans limit"),
                instant(f"sum({series('finwait_firewall_rules')})", "rules read"),
                text="value_and_name",
            ),
        ),
        (
            6,
            stat(
                "Switches",
                "Whether conntrack runs for each family; tcp_loose (a bare ACK makes a new entry); tcp_be_liberal "
                "(does not help here); events: 0 off, 1 on, 2 on when somebody listens.",
                "none",
                instant(f"max by (family) ({series('finwait_conntrack_active')})", "conntrack {{family}}"),
                instant(f"max({series('finwait_sysctl_conntrack_tcp_loose')})", "tcp_loose"),
                instant(f"max({series('finwait_sysctl_conntrack_tcp_be_liberal')})", "tcp_be_liberal"),
                instant(f"max({series('finwait_sysctl_conntrack_events')})", "events"),
                text="value_and_name",
                overrides=[
                    override(name, mappings=on_off)
                    for name in ("conntrack ipv4", "conntrack ipv6", "tcp_loose", "tcp_be_liberal")
                ],
            ),
        ),
    ]
