"""The Exporter dashboard: can the numbers be trusted, and what do they cost."""

from dashboard import dashboard
from panels import (
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

OURS = f"and on (job, instance) {series('finwait_exporter_build_info')}"


def _of_process(expr):
    """`expr` of our processes only: process_* exists for every job, and All chooses every job."""
    return f"{expr} {OURS}"


def _trust():
    seen = f"last_over_time({series('finwait_exporter_build_info')}[$__range])"
    age = f"time() - {series('finwait_collector_last_success_timestamp_seconds')}"
    return [
        (
            4,
            stat(
                "Exporters up",
                "Exporters whose last scrape succeeded.",
                "none",
                instant(f"count(({series('up')} == 1) {OURS}) or vector(0)", "up"),
            ),
        ),
        (
            4,
            stat(
                "Exporters down",
                "Exporters seen in the time shown whose last scrape failed.",
                "none",
                instant(f"count(({series('up')} == 0) and on (job, instance) {seen}) or vector(0)", "down"),
                filled=True,
                thresholds=steps((None, "green"), (1, "red")),
            ),
        ),
        (
            4,
            stat(
                "Collectors failing",
                "Collectors, over all chosen hosts, whose last look failed or was incomplete. What they cannot see is "
                "absent, not zero.",
                "none",
                instant(f"count({series('finwait_collector_success')} == 0) or vector(0)", "failing"),
                filled=True,
                thresholds=steps((None, "green"), (1, "red")),
            ),
        ),
        (
            4,
            stat(
                "Oldest sample",
                "Age of the oldest newest sample of any collector. Intervals stretch on big hosts; compare with the "
                "interval below.",
                "s",
                query(f"max({age})", "age"),
                graph=True,
            ),
        ),
        (
            4,
            stat(
                "Hosts without a score",
                "Scraped, but not judged, because an input is missing that could change the stage.",
                "none",
                instant(
                    f"count(count by (job, instance) ({series('finwait_collector_success')}) unless on (job, instance) "
                    f"{series('finwait_risk_score')}) or vector(0)",
                    "not judged",
                ),
                filled=True,
                thresholds=steps((None, "green"), (1, "purple")),
            ),
        ),
        (
            4,
            table(
                "Versions",
                "How many hosts run which version.",
                "none",
                column(f"count by (version) ({series('finwait_exporter_build_info')})"),
                sort_by="Hosts",
                columns={"version": "Version", "Value": "Hosts"},
            ),
        ),
    ]


def _collectors():
    failures = f"rate({series('finwait_collector_failures_total')}[$__rate_interval])"
    success = values_to_text({0: ("failing", "red"), 1: ("ok", "green")})
    return [
        (
            12,
            state_timeline(
                "Collectors",
                "Failing where the collector's look failed or was incomplete on any chosen host.",
                query(f"min by (collector) ({series('finwait_collector_success')})", "{{collector}}"),
                mappings=success,
            ),
        ),
        (
            12,
            timeseries(
                "Failures by collector and reason",
                "Looks that failed, over all chosen hosts.",
                "cps",
                query(f"sum by (collector, reason) ({failures})", "{{collector}} {{reason}}"),
            ),
        ),
        (
            8,
            timeseries(
                "Age of the newest sample",
                "The worst host's, by collector. It should stay below the interval plus the scrape interval.",
                "s",
                query(
                    f"max by (collector) (time() - {series('finwait_collector_last_success_timestamp_seconds')})",
                    "{{collector}}",
                ),
            ),
        ),
        (
            8,
            timeseries(
                "Interval",
                "How often each collector looks, on the host where it looks least often, and how often the costly "
                "parts run that are spaced by themselves. The dumps stretch theirs to keep --sampling.cpu-budget.",
                "s",
                query(f"max by (collector) ({series('finwait_collector_interval_seconds')})", "{{collector}}"),
                query(f"max by (work) ({series('finwait_sampling_interval_seconds')})", "{{work}}"),
            ),
        ),
        (
            8,
            timeseries(
                "Duration",
                "How long the last look took, on the slowest host.",
                "s",
                query(f"max by (collector) ({series('finwait_collector_duration_seconds')})", "{{collector}}"),
            ),
        ),
    ]


def _cost():
    cpu = f"rate({series('process_cpu_seconds_total')}[$__rate_interval])"
    return [
        timeseries(
            "CPU, ten most",
            "Share of one core. --sampling.cpu-budget bounds the collectors together (0.02 by default); serving "
            "scrapes comes on top.",
            "percentunit",
            query(f"topk(10, {_of_process(cpu)})", "{{instance}}"),
        ),
        timeseries(
            "Memory, ten most",
            "Resident. It grows with live sockets only; 24 MB is the target.",
            "bytes",
            query(f"topk(10, {_of_process(series('process_resident_memory_bytes'))})", "{{instance}}"),
        ),
        timeseries(
            "File descriptors, ten most",
            "Open ones, against the lowest limit among the chosen hosts.",
            "short",
            query(f"topk(10, {_of_process(series('process_open_fds'))})", "{{instance}}"),
            query(f"min({_of_process(series('process_max_fds'))})", "limit"),
            log=True,
            overrides=[dashed("limit")],
        ),
        timeseries(
            "Scrape duration, ten slowest",
            "As Prometheus saw it. A scrape reads a finished snapshot and never waits for the kernel.",
            "s",
            query(f"topk(10, {series('scrape_duration_seconds')} {OURS})", "{{instance}}"),
        ),
        timeseries(
            "Samples per scrape",
            "The host with the most. 500 is the most an exporter with defaults may send.",
            "short",
            query(f"max({series('scrape_samples_scraped')} {OURS})", "samples"),
            query("vector(500)", "limit"),
            overrides=[dashed("limit")],
        ),
        timeseries(
            "Lost events, restarts and refused system calls",
            "How often conntrack events were lost, to overruns and pauses, per second over all chosen hosts; the next dump "
            "heals what they would have told. Hosts' time in pauses, in which listening would cost too much: 1 is one "
            "host that does not listen at all. Restarts of exporters within the interval. System calls that the exporter's own filter refused: "
            "any is a bug or an intruder (SECURITY.md).",
            "short",
            query(f"sum(rate({series('finwait_conntrack_events_lost_total')}[$__rate_interval]))", "events lost"),
            query(
                f"sum(rate({series('finwait_conntrack_events_paused_seconds_total')}[$__rate_interval]))",
                "hosts not listening",
            ),
            query(f"sum(changes({series('process_start_time_seconds')}[$__rate_interval]) {OURS})", "restarts"),
            query(
                f"sum(increase({series('finwait_exporter_refused_system_calls_total')}[$__rate_interval]))",
                "refused system calls",
            ),
        ),
    ]


def build():
    return dashboard(
        "finwait-exporter",
        "finwait / Exporter",
        "The exporters themselves: freshness, failures and cost.",
        [(None, 4, _trust()), ("Collectors", 8, _collectors()), ("Cost", 8, [(8, panel) for panel in _cost()])],
    )
