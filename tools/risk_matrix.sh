#!/usr/bin/env bash
# Plays every scenario of the risk matrix on the real kernel and prints docs/risk-matrix.md: what was predicted and what happened, and how the
# program graded its predictions itself.
#   tools/risk_matrix.sh [BUILD_FOLDER] > docs/risk-matrix.md
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}

rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
result=0
FINWAIT_RISK_MATRIX_TABLE=$rows "$build/e2e_tests" --gtest_filter='*RiskMatrixTest*:*ShortTrialsTest*:*PodTrialsTest*' --gtest_brief=1 >&2 || result=$?

cat <<END
# The risk matrix

Made by \`tools/risk_matrix.sh\` on $(date +%F), Linux $(uname -r | cut -d- -f1). [verification.md](verification.md#risk-calibrated)
says what each kind is, and what a column means.

END
python3 - "$rows" <<'END'
import collections, sys

rows = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in open(sys.argv[1])]
KIND, NAME, FATE, BEFORE, SCORE, AT_RISK, LOST, STUCK, AFTER, GRADES, RIGHT = range(11)
kinds = list(dict.fromkeys(row[KIND] for row in rows))


def table(head, lines):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join(map(str, line)) + " |")
    print()


def tally(name, some):
    count = lambda column, *values: sum(row[column] in values for row in some)
    return [name, len(some), count(BEFORE, "exposed"), count(BEFORE, "none", "latent"), count(BEFORE, "cannot tell"),
            count(AFTER, "failing"), count(RIGHT, "yes")]


print("## By kind\n")
table(["kind", "scenarios", "exposed before", "none or latent before", "cannot tell", "failing after", "as predicted"],
      [tally(kind, [row for row in rows if row[KIND] == kind]) for kind in kinds] + [tally("all", rows)])

print("## Predictions, as the program grades them\n")
graded = collections.Counter()
for row in rows:
    for grade in row[GRADES].split(", ") if row[GRADES] != "none" else []:
        fate, outcome, number = grade.split(" ")
        graded[fate, outcome] += int(number)
outcomes = ["as_foretold", "otherwise", "unseen"]
fates = ["clean", "fin_dropped", "ack_dropped", "nat_lost", "peer_fin_dropped", "peer_decides", "unknown"]
table(["predicted fate", *outcomes],
      [[fate, *(graded[fate, outcome] for outcome in outcomes)] for fate in fates] +
      [["all", *(sum(graded[fate, outcome] for fate in fates) for outcome in outcomes)]])

for kind in kinds:
    print(f"## {kind}\n")
    table(["scenario", "fate", "stage before", "score", "at risk", "lost", "stuck, by cause", "stage after", "graded", "as predicted"],
          [row[1:] for row in rows if row[KIND] == kind])
END
exit "$result"
