#!/usr/bin/python3
"""Names and comments that act on whatever shows them: the terminal, the page, JSON, the log, the metrics, a shell.

Whoever may write rules, or a container's root in a namespace of his own, chooses them.
"""

import html.parser
import json
import re
import subprocess
import sys
import unicodedata

from suite import Program, eventually, fetch, need, run, sandbox

COMMENTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b]0;owned\x07",
    "\u009b31m red \u009d0;title\u009c",
    "accept \u202e pord",
    "line\u2028break",
    "line\nbreak\rand back",
    "'; $(touch /tmp/owned) `id` | sh #",
    "\x7f\x08",
]
# What fonts leave out, beside what the general category tells (Default_Ignorable_Code_Point), and noncharacters.
LEFT_OUT = "034f 115f-1160 17b4-17b5 180b-180f 2065 3164 fe00-fe0f ffa0 fff0-fff8 e0000-e0fff fdd0-fdef"


def no_text():
    """Every character that is no text by itself, by the Unicode data of this system."""
    found = {code for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Co", "Zl", "Zp")}
    for run_of in LEFT_OUT.split():
        first, _, last = run_of.partition("-")
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    return found | {plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)}


NO_TEXT = no_text()
UNWANTED = NO_TEXT - {9, 10}  # a text may have lines and columns
# First and last of each run of them: what no terminal, editor or reader may get.
EDGES = [code for code in sorted(NO_TEXT) if code > 0x7F and not {code - 1, code + 1} <= NO_TEXT]
ENDS = ["192.0.2.1:40000", "192.0.2.2:443"]


def load_rules():
    """By libnftables' JSON, which takes what the language of nft does not."""
    invalid = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}
    commands = []
    for table, chain in (("t", "o"), ("t'; $(touch x) \x1b[2J", "<b>\u009b\u202e")):
        place = {"family": "ip", "table": table}
        hook = {"type": "filter", "hook": "output", "prio": 0, "policy": "accept"}
        commands.append({"add": {"table": {"family": "ip", "name": table}}})
        commands.append({"add": {"chain": {**place, "name": chain, **hook}}})
        for comment in COMMENTS + ["".join(chr(code) for code in EDGES[at : at + 25]) for at in range(0, len(EDGES), 25)]:
            rule = {**place, "chain": chain, "expr": [invalid, {"counter": None}, {"drop": None}], "comment": comment}
            commands.append({"add": {"rule": rule}})
    done = subprocess.run(
        ["nft", "-j", "-f", "-"], input=json.dumps({"nftables": commands}), capture_output=True, text=True, check=False
    )
    need(done.returncode == 0, f"nft does not take the rules: {done.stderr[:300]}")
    # iptables passes on any byte, also such as are no UTF-8.
    rules = b"*filter\n:OUTPUT ACCEPT [0:0]\n"
    for text in (b"\xff\xfe\x9b31m", "\u009d0;t\u009c".encode(), b"<b>\x1b[31m"):
        rules += b'-A OUTPUT -m conntrack --ctstate INVALID -m comment --comment "' + text + b'" -j DROP\n'
    done = subprocess.run(["iptables-legacy-restore"], input=rules + b"COMMIT\n", capture_output=True, check=False)
    need(done.returncode == 0, f"iptables-legacy-restore does not take the rules: {done.stderr[:300]}")


def output_of(*arguments):
    done = subprocess.run([str(sandbox.PROGRAM), *arguments], capture_output=True, timeout=60, check=False)
    try:
        return done.stdout.decode() + done.stderr.decode()
    except UnicodeDecodeError as error:
        need(False, f"{arguments} prints what is no UTF-8: {error}")


def need_plain(text, what):
    found = [at for at, letter in enumerate(text) if ord(letter) in UNWANTED]
    need(not found, f"{what} has {found and text[found[0]]!r} in {found and text[max(0, found[0] - 40):found[0] + 40]!r}")


def the_table_of_the_program_has_them_all(_):
    """And nothing else but what a later Unicode than this system's has."""
    text = (sandbox.ROOT / "collectors/base/deceptive_ranges.h").read_text()
    ranges = [(int(first, 16), int(last, 16)) for first, last in re.findall(r"{0x(\w+), 0x(\w+)}", text)]
    need(ranges == sorted(ranges) and len(ranges) > 30, f"the ranges are not in order: {ranges}")
    table = {code for first, last in ranges for code in range(first, last + 1)}
    need(not NO_TEXT - table, f"not in the table: {[hex(code) for code in sorted(NO_TEXT - table)]}")
    known = [hex(code) for code in sorted(table - NO_TEXT) if unicodedata.category(chr(code)) != "Cn"]
    need(not known, f"in the table, and text: {known}")


def a_terminal_gets_no_controls(_):
    load_rules()
    for arguments in (
        ["check"],
        ["check", "--format=nagios"],
        ["check", "--format=bug"],
        ["check", "--format=prometheus"],
        ["explain", *ENDS],
        ["explain", "--all"],
    ):
        text = output_of(*arguments)
        need(len(text) > 20, f"{arguments} says {text!r}")
        need_plain(text, arguments)
        for line in text.splitlines():
            is_command = line.lstrip().startswith("$ ")
            need(not (is_command and "touch" in line), f"{arguments} has a command to copy that does more: {line}")


def usage_errors_get_no_controls(_):
    for words in (["\x1b[2J"], ["explain", "\u009b31m", "x"], ["check", "--format=\x1b]0;x\x07"], ["--path.procfs=/\u202e"], ["--log.level=\U000e0041"]):
        need_plain(output_of(*words), words)


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, [name for name, _ in attrs]))


def page_json_log_and_metrics_hold_them_as_text(folder):
    load_rules()
    with Program(folder, ["--report.details", "--sampling.interval=1s"]) as program:
        need(
            eventually(lambda: "INVALID" in fetch("/api/v1/report")[1] or "invalid" in fetch("/api/v1/report")[1]), program.log()
        )
        page = fetch("/")[1]
        need("onerror" in page or "alert" in page, "the page does not show the rules, and this test tells nothing")
        need_plain(page, "the page")
        tags = Tags()
        tags.feed(page)
        need(sum(tag == "script" for tag, _ in tags.tags) == 1, "the page has a script that is not its own")
        need(not any(name.startswith("on") for _, names in tags.tags for name in names), "an attribute of the page is a script")
        report = fetch("/api/v1/report")[1]
        need(json.loads(report), "the report is no JSON")
        need_plain(report, "the report")
        metrics = fetch("/metrics")[1]
        need_plain(metrics, "the metrics")
        need("alert(1)" not in metrics, "a comment is in the metrics")
        need_plain(program.log(), "the log")
        need(program.ends_well(), "SIGTERM does not end it well")


TESTS = [the_table_of_the_program_has_them_all, a_terminal_gets_no_controls, usage_errors_get_no_controls, page_json_log_and_metrics_hold_them_as_text]

if __name__ == "__main__":
    run(TESTS, *sys.argv[1:])
