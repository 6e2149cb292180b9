#!/usr/bin/python3
"""Rulesets that are too large, or change while they are read: no wrong verdict, no large answer, no large process."""

import json
import subprocess
import sys

from suite import Program, eventually, fetch, need, run, sandbox

MOST_ANSWER = 1 << 20  # bytes
MOST_MEMORY = 64  # MiB
MANY = 100_000
ENDS = ["192.0.2.1:40000", "192.0.2.2:443"]


def load(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    need(done.returncode == 0, f"{command}: {done.stderr[:300]}")


def clear():
    for script in ("nft flush ruleset", "iptables-legacy -F", "iptables-legacy -X"):
        sandbox.shell(script)


def verdict():
    """Of the FIN of a connection that is not there."""
    done = subprocess.run(
        [str(sandbox.PROGRAM), "explain", "--format=json", *ENDS], capture_output=True, text=True, timeout=60, check=False
    )
    need(done.returncode in (0, 1, 3), f"explain ends with {done.returncode}: {done.stderr}")
    document = json.loads(done.stdout)
    return document["fin"]["verdict"]


def legacy(rules):
    return f"*filter\n:OUTPUT ACCEPT [0:0]\n{rules}COMMIT\n"


# On a busy machine even 30 s are too short to read 100,000 rules, which is said, and the answers are as bounded.
READ = ('"invalid_drop_rules_not_listed": 19', "not finished within the deadline")
TOO_LARGE = ("bytes are more than the", "not finished within the deadline")


def answers_are_bounded(folder, said):
    """The report, the page and the metrics, with a rule list that is not; once the report says one of these of it."""
    # A collection may take as long as its interval, up to 30 s.
    with Program(folder, ["--report.details", "--sampling.interval=30s"]) as program:
        has_read = eventually(lambda: any(text in fetch("/api/v1/report")[1] for text in said), 90)
        need(has_read, f"the report says none of {said}: {program.log()}")
        for path in ("/", "/api/v1/report", "/metrics", "/health"):
            code, body = fetch(path)
            need(code == 200 or path == "/health", f"{path} answers {code}")
            need(len(body) < MOST_ANSWER, f"{path} has {len(body)} bytes")
        need('"none"' not in fetch("/health")[1], "what was not read is said to drop nothing")
        most = program.most_memory_mib()
        print(f"        /api/v1/report has {len(fetch('/api/v1/report')[1])} bytes, memory at most {most:.0f} MiB")
        need(most < MOST_MEMORY, f"it has taken {most:.0f} MiB")


def a_report_of_100000_nft_rules_is_small(folder):
    rules = "".join(
        f"ip saddr 10.{i >> 16}.{i >> 8 & 255}.{i & 255} tcp dport {i % 60000 + 1} ct state invalid counter drop\n"
        for i in range(MANY)
    )
    load(["nft", "-f", "-"], f"table ip t {{\n chain k {{\n {rules} }}\n"
         "chain o {\n type filter hook output priority 0; jump k;\n }\n }\n")  # fmt: skip
    answers_are_bounded(folder, READ)
    clear()


def a_report_of_100000_legacy_rules_is_small(folder):
    load_legacy_rules(MANY)
    answers_are_bounded(folder, TOO_LARGE)
    load_legacy_rules(MANY // 2)
    answers_are_bounded(folder, READ)
    clear()


def load_legacy_rules(count):
    rules = "".join(
        f"-A OUTPUT -s 10.{i >> 16}.{i >> 8 & 255}.{i & 255}/32 -p tcp --dport {i % 60000 + 1} -m conntrack --ctstate INVALID -j DROP\n"
        for i in range(count)
    )
    load(["iptables-legacy-restore"], legacy(rules))


def a_rule_beyond_what_is_read_is_never_a_pass(folder):
    """The one that drops comes first, last, or in a later chain of 25,000 rules: drop or unknown."""
    fill = [f"ip saddr 10.0.{i >> 8}.{i & 255} accept\n" for i in range(25_000)]
    drop = "ct state invalid drop\n"
    for where, rules in (("first", [drop, *fill]), ("last", [*fill, drop])):
        load(["nft", "-f", "-"], f"table ip t {{\n chain o {{\n type filter hook output priority 0; {''.join(rules)} }}\n }}\n")
        got = verdict()
        need(got in ("drop", "unknown"), f"nft, the rule that drops is {where}: {got}")
        clear()
    fill = [f"-A OUTPUT -s 10.0.{i >> 8}.{i & 255}/32 -j ACCEPT\n" for i in range(25_000)]
    drop = "-A OUTPUT -m conntrack --ctstate INVALID -j DROP\n"
    for where, rules in (("first", [drop, *fill]), ("last", [*fill, drop])):
        load(["iptables-legacy-restore"], legacy("".join(rules)))
        got = verdict()
        need(got in ("drop", "unknown"), f"legacy, the rule that drops is {where}: {got}")
        clear()


def large_sets_and_maps_are_looked_into(folder):
    elements = ",".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(MANY))
    jumps = ",".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255} : drop" for i in range(40_000))
    load(
        ["nft", "-f", "-"],
        f"""table ip t {{
 set s {{
  type ipv4_addr
  elements = {{ {elements}, 192.0.2.2 }}
 }}
 map m {{
  type ipv4_addr : verdict
  elements = {{ {jumps} }}
 }}
 chain o {{
  type filter hook output priority 0
  ip daddr vmap @m
  ip daddr @s ct state invalid drop
 }}
}}
""",
    )
    got = verdict()
    need(got in ("drop", "unknown"), f"the peer is in the set, and the verdict is {got}")
    clear()


def tables_that_are_replaced_give_one_of_two_verdicts(folder):
    """Never a mix of both: one drops IPv4's FIN and the other accepts all."""
    # Half of either would say something else: the drop without the accept before it, a chain without its rules.
    dropping = "chain a {\n ct state invalid drop\n }\nchain o {\n type filter hook output priority 0; jump a;\n }"
    passing = "chain a {\n accept\n }\nchain o {\n type filter hook output priority 0; jump a; drop;\n }"
    texts = [f"table ip t\ndelete table ip t\ntable ip t {{\n {text}\n }}\n" for text in (dropping, passing)]
    load(["nft", "-f", "-"], texts[0])
    loop = "while :; do nft -f a; nft -f b; done"
    for name, text in zip("ab", texts):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    with sandbox.running(["sh", "-c", loop], cwd=folder):
        seen = [verdict() for _ in range(15)]
    need(set(seen) <= {"drop", "accept", "unknown"}, f"verdicts: {set(seen)}")
    print(f"        {', '.join(f'{one}: {seen.count(one)}' for one in sorted(set(seen)))}")
    clear()


def legacy_tables_that_are_replaced_give_no_wrong_verdict(folder):
    texts = [legacy(f"-A OUTPUT -s 10.0.0.0/8 -j ACCEPT\n-A OUTPUT -m conntrack --ctstate INVALID -j DROP\n{'-A OUTPUT -p icmp -j ACCEPT' + chr(10)}" * n)
             for n in (1, 500)]  # fmt: skip
    for name, text in zip("ab", texts):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    load(["iptables-legacy-restore"], texts[0])
    loop = "while :; do iptables-legacy-restore a; iptables-legacy-restore b; done"
    with sandbox.running(["sh", "-c", loop], cwd=folder):
        seen = [verdict() for _ in range(8)]
    need(set(seen) <= {"drop", "unknown"}, f"both tables drop, and verdicts are {set(seen)}")
    clear()


TESTS = [
    a_report_of_100000_nft_rules_is_small,
    a_report_of_100000_legacy_rules_is_small,
    a_rule_beyond_what_is_read_is_never_a_pass,
    large_sets_and_maps_are_looked_into,
    tables_that_are_replaced_give_one_of_two_verdicts,
    legacy_tables_that_are_replaced_give_no_wrong_verdict,
]

if __name__ == "__main__":
    run(TESTS, *sys.argv[1:])
