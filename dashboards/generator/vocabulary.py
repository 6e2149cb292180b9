"""What the contract's words look like, one colour each on every dashboard, and the selectors that several panels share."""

from panels import series, steps

STAGE_COLORS = {"none": "green", "latent": "yellow", "exposed": "orange", "failing": "red"}
# Causes of a stuck socket: the proven conntrack failures are warm, the ordinary ones blue.
CAUSE_COLORS = {
    "local_drop": "red",
    "reply_drop": "orange",
    "nat_lost": "purple",
    "local_error": "dark-blue",
    "no_reply": "blue",
    "zero_window": "light-blue",
}
FATE_COLORS = {"fin_dropped": "red", "ack_dropped": "orange", "nat_lost": "purple", "unknown": "text"}

PROVEN_CAUSES = 'cause=~"local_drop|reply_drop|nat_lost"'
FIRING = series("ALERTS", 'alertname=~"Finwait.+"', 'alertstate="firing"')
FATES_THAT_STICK = 'fate=~"fin_dropped|ack_dropped|nat_lost"'

SCORE_THRESHOLDS = steps((None, "green"), (1, "yellow"), (40, "orange"), (70, "red"))
SCORE_BANDS = steps((None, "transparent"), (1, "yellow"), (40, "orange"), (70, "red"))

ESTABLISHED_TIMEOUT = series("finwait_sysctl_conntrack_tcp_timeout_seconds", 'state="established"')
IDLE_BUCKETS = series("finwait_conntrack_entry_idle_seconds_bucket", 'state="established"')
KEEPALIVE_TIME = series("finwait_sysctl_tcp_keepalive_time_seconds")
