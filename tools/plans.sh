#!/usr/bin/env bash
# The long form of the random plans: of random pairs of rulesets one is in force on a host with connections, the other
# is planned (exporter/planning) in a namespace of its own, then loaded on the host for real; all connections are closed
# without their entries, and what was planned is held against what the sockets do.
#
#   tools/plans.sh [PAIRS [SEED]]     PAIRS: 500 by default
#
# Without a seed one is drawn. Exit code 0: nothing was planned wrongly.
set -euo pipefail
cd "$(dirname "$0")/.."

pairs=${1:-500}
seed=${2:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
[ -d build ] || cmake --preset release >/dev/null
cmake --build --preset release --target kernel_tests >&2
echo "== tools/plans.sh $pairs $seed"
FINWAIT_SEED=$seed FINWAIT_PLANS=$pairs nice -n 19 build/kernel_tests --gtest_filter='RandomPlansTest.*'
