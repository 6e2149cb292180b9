#!/usr/bin/env bash
# Plays every scenario of the risk matrix on the real kernel and prints what was predicted and what happened, as a table.
#   tools/risk_matrix.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}

table=$(mktemp)
trap 'rm -f "$table"' EXIT
result=0
FINWAIT_RISK_MATRIX_TABLE=$table "$build/e2e_tests" --gtest_filter='*RiskMatrixTest*' --gtest_brief=1 >&2 || result=$?

echo '| scenario | stage before | score | at risk | lost | stuck, by cause | stage after | as predicted |'
echo '|---|---|---|---|---|---|---|---|'
cat "$table"
echo
echo "$(wc -l <"$table") scenarios, $(grep -c '| yes |$' "$table") as predicted"
exit "$result"
