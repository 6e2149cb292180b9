"""What the contract's words look like, one colour each on every dashboard, and the selectors that several panels share."""

from panels import UNKNOWN_COLOR, judged, series, steps, values_to_text

CANNOT_TELL = ("cannot tell", UNKNOWN_COLOR)
STAGE_COLORS = {"none": "green", "latent": "yellow", "exposed": "orange", "failing": "red"}
# Causes of a stuck socket: the proven conntrack failures are warm, the ordinary ones blue.
CAUSE_COLORS = {
    "local_drop": "red",
    "reply_drop": "orange",
    "forward_drop": "semi-dark-red",
    "nat_lost": "dark-orange",
    "local_error": "dark-blue",
    "no_reply": "blue",
    "zero_window": "light-blue",
}
FATE_COLORS = {
    "fin_dropped": "red",
    "ack_dropped": "orange",
    "nat_lost": "dark-orange",
    "peer_fin_dropped": "yellow",
    "peer_decides": "light-yellow",
    "unknown": UNKNOWN_COLOR,
}
# States of a conntrack entry: open ones green, closing ones warm, opening ones blue.
FLOW_COLORS = {
    "tcp established": "green",
    "tcp close_wait": "yellow",
    "tcp fin_wait": "orange",
    "tcp last_ack": "dark-orange",
    "tcp close": "semi-dark-red",
    "tcp time_wait": "#8e8e8e",
    "tcp syn_sent": "light-blue",
    "tcp syn_sent2": "blue",
    "tcp syn_recv": "dark-blue",
}

FIRING = series("ALERTS", 'alertname=~"Finwait.+"', 'alertstate="firing"')
FATES_THAT_STICK = 'fate=~"fin_dropped|ack_dropped|nat_lost|peer_fin_dropped"'

SCORE_THRESHOLDS = judged((0, "green"), (1, "yellow"), (40, "orange"), (70, "red"))
SCORE_BANDS = steps((None, "transparent"), (1, "yellow"), (40, "orange"), (70, "red"))

ESTABLISHED_TIMEOUT = series("finwait_sysctl_conntrack_tcp_timeout_seconds", 'state="established"')
IDLE_BUCKETS = series("finwait_conntrack_entry_idle_seconds_bucket", 'state="established"')
KEEPALIVE_TIME = series("finwait_sysctl_tcp_keepalive_time_seconds")

STAGES = values_to_text(dict(enumerate(STAGE_COLORS.items())), missing=CANNOT_TELL)
