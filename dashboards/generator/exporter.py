"""The Exporter dashboard: can the numbers be trusted, and what do they cost."""

from dashboard import Section, dashboard
from panels import (
    PER_SECOND,
    UNKNOWN_COLOR,
    colored,
    column,
    dashed,
    instant,
    override,
    query,
    rates,
    series,
    stat,
    state_timeline,
    steps,
    steps_up,
    table,
    timeseries,
    values_to_text,
)

BUILD = series("finwait_exporter_build_info")
OURS = f"and on (job, instance) {BUILD}"
SUCCESS = series("finwait_collector_success")
LAST_SUCCESS = series("finwait_collector_last_success_timestamp_seconds")
# Of a collector that has succeeded at least once; the others have timestamp 0 and are 57 years old.
AGE = f"time() - ({LAST_SUCCESS} > 0)"
DOWN = f"max by (job, instance) (last_over_time({BUILD}[$__range])) and on (job, instance) {series('up')} == 0"


def _of_process(expr):
    """`expr` of our processes only: process_* exists for every job, and All chooses every job."""
    return f"{expr} {OURS}"


def _trust():
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
                "Exporters seen in the time shown whose last scrape failed; named below.",
                "none",
                instant(f"count({DOWN}) or vector(0)", "down"),
                filled=True,
                thresholds=steps((None, "green"), (1, "red")),
            ),
        ),
        (
            4,
            stat(
                "Collectors failing",
                "Collectors, over all chosen hosts, whose last sample failed or was incomplete; named below. What they "
                "cannot see is absent, not zero.",
                "none",
                instant(f"count({SUCCESS} == 0) or vector(0)", "failing"),
                filled=True,
                thresholds=steps((None, "green"), (1, "red")),
            ),
        ),
        (
            4,
            stat(
                "Oldest sample",
                "Age of the oldest newest sample of any collector that has had one. Intervals stretch on big hosts; "
                "compare with the interval below.",
                "s",
                instant(f"max({AGE})", "age"),
                decimals=0,
                noValue="no sample",
            ),
        ),
        (
            4,
            stat(
                "Hosts without a score",
                "Scraped, but without a risk score, because an input is missing that could change the stage.",
                "none",
                instant(
                    f"count(count by (job, instance) ({SUCCESS}) unless on (job, instance) "
                    f"{series('finwait_risk_score')}) or vector(0)",
                    "cannot tell",
                ),
                filled=True,
                thresholds=steps((None, "green"), (1, UNKNOWN_COLOR)),
            ),
        ),
        (
            4,
            table(
                "Versions",
                "How many hosts run which version.",
                "none",
                column(f"count by (version) ({BUILD})"),
                sort_by="Hosts",
                columns={"version": "Version", "Value": "Hosts"},
            ),
        ),
    ]


def _attention():
    """One row for each collector and reason that fails, and for each exporter that cannot be scraped."""
    failures = series("finwait_collector_failures_total")
    reasons = f"0 * (sum by (job, instance, collector, reason) (increase({failures}[$__range])) > 0)"
    since = (
        f"1000 * max by (job, instance, collector) ({LAST_SUCCESS} and on (job, instance, collector) {SUCCESS} == 0)"
    )
    # `not counted`: it fails, but within the time shown no failure was counted.
    uncounted = (
        f'label_replace({since} unless on (job, instance, collector) {reasons}, "reason", "not counted", "", "")'
    )
    last_seen = (
        f"1000 * max by (job, instance) (max_over_time(timestamp({BUILD})[$__range:1m])) and on (job, instance) {DOWN}"
    )
    down = f'label_replace(label_replace({last_seen}, "collector", "all", "", ""), "reason", "not scraped", "", "")'
    never = values_to_text({0: ("never", UNKNOWN_COLOR)})
    host = "/d/finwait-host?var-datasource=${datasource}&${__url_time_range}&var-job="
    link = [{"title": "This host's story", "url": host + "${__data.fields.Job}&var-instance=${__data.fields.Host}"}]
    return table(
        "Exporters that need attention",
        "Collectors that fail now, why, and when each last had a complete sample; and exporters that cannot be scraped, "
        "and when they last could. Empty is good.",
        "none",
        column(f"{reasons} + on (job, instance, collector) group_left () {since} or {uncounted} or {down}"),
        sort_by=["Host", "Collector"],
        descending=False,
        columns={
            "job": "Job",
            "instance": "Host",
            "collector": "Collector",
            "reason": "Reason",
            "Value": "Last complete sample",
        },
        noValue="none",
        overrides=[
            override("Job", custom_hidden=True),
            override("Host", links=link),
            override("Last complete sample", unit="dateTimeFromNow", mappings=never),
        ],
    )


def _collectors():
    success = values_to_text({0: ("failing", "red"), 1: ("ok", "green")})
    return [
        (
            12,
            state_timeline(
                "Collectors",
                "Failing where the collector's sample failed or was incomplete on any chosen host.",
                query(f"min by (collector) ({series('finwait_collector_success')})", "{{collector}}"),
                mappings=success,
            ),
        ),
        (
            12,
            timeseries(
                "Failures by collector and reason",
                "Samples that failed, over all chosen hosts.",
                PER_SECOND,
                rates("finwait_collector_failures_total", "collector", "reason"),
            ),
        ),
        (
            8,
            timeseries(
                "Age of the newest sample",
                "The worst host's, by collector; one that has never had a sample is in the table above. It should stay below the interval plus the scrape interval.",
                "s",
                query(f"max by (collector) ({AGE})", "{{collector}}"),
                decimals=0,
            ),
        ),
        (
            8,
            timeseries(
                "Interval",
                "How often each collector samples, on the host where it does least often, and how often the costly "
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
                "How long the last sample took, on the slowest host.",
                "s",
                query(f"max by (collector) ({series('finwait_collector_duration_seconds')})", "{{collector}}"),
            ),
        ),
    ]


def _predictions():
    outcomes = series("finwait_prediction_outcomes_total")
    colors = {"as_foretold": "green", "otherwise": "red", "unseen": UNKNOWN_COLOR}
    return [
        (
            12,
            timeseries(
                "Predicted closes by outcome",
                "Live sockets without an entry that have closed, held against the fate predicted last. otherwise: something "
                "else was seen, so the rules were evaluated wrongly. unseen: what was seen proves neither.",
                PER_SECOND,
                query(f"sum by (outcome) (rate({outcomes}[$__rate_interval]))", "{{outcome}}"),
                overrides=colored(colors),
            ),
        ),
        (
            12,
            table(
                "Predicted closes by fate",
                "How many closes of each fate came to which outcome within the time shown, over all chosen hosts.",
                "none",
                column(f"sum by (fate, outcome) (increase({outcomes}[$__range]))"),
                sort_by="Closes",
                columns={"fate": "Predicted fate", "outcome": "Outcome", "Value": "Closes"},
            ),
        ),
    ]


def _witness():
    packets = series("finwait_witness_packets_total")
    return [
        (
            12,
            timeseries(
                "Closing packets that the kernel dropped",
                "FINs and resets, by the kernel's own reason, with --collector.witness (docs/witness.md). Those that are counted and "
                "not told are beyond 1,000 a second, or had no room.",
                PER_SECOND,
                query(f"sum by (packet, reason) (rate({packets}[$__rate_interval]))", "{{packet}} {{reason}}"),
                query(f"sum(rate({series('finwait_witness_lost_events_total')}[$__rate_interval]))", "counted, not told"),
            ),
        ),
        (
            12,
            timeseries(
                "FINs dropped that the rules let pass",
                "By the evaluation of the rules: 0, or a fault of the exporter's, or a BPF program that no list of rules shows.",
                "short",
                query(f"sum({steps_up(series('finwait_witness_disagreements_total'))})", "FINs"),
                interval="1m",
            ),
        ),
    ]


def _cost():
    started = series("process_start_time_seconds")
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
            "The host with the most. 600 is the most an exporter with defaults may send: below 500 series, and in OpenMetrics the "
            "times since when counters count.",
            "short",
            query(f"max({series('scrape_samples_scraped')} {OURS})", "samples"),
            query("vector(600)", "limit"),
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
            query(
                f"sum(({started} != bool ({started} offset $__interval)) {OURS})",
                "restarts",
            ),
            query(
                f"sum({steps_up(series('finwait_exporter_refused_system_calls_total'))})",
                "refused system calls",
            ),
            interval="1m",
        ),
    ]


def build():
    return dashboard(
        "finwait-exporter",
        "finwait / Exporter",
        "The exporters themselves: freshness, failures and cost.",
        [
            Section(None, 4, _trust()),
            Section(None, 8, [(24, _attention())]),
            Section("Collectors", 8, _collectors()),
            Section("Predictions", 8, _predictions()),
            Section("The kernel's own word", 8, _witness(), folded=True),
            Section("Cost", 8, [(8, panel) for panel in _cost()]),
        ],
    )
