#!/usr/bin/env bash
# The long form of the differential test: random rulesets and random connections in network namespaces of their own;
# what the verdict engine foretells is held against what the sockets then do. A wrong verdict is shrunk to a small
# ruleset and printed. A tenth as many connections of pods are tried through a host that forwards them.
#
#   tools/differential.sh [PAIRS [SEED]...]     PAIRS: connections to try for each seed, 5000 by default
#
# Without a seed one is drawn. Each ruleset has the seed's number plus its place in the run, and so can be repeated
# alone: tools/differential.sh 1 NUMBER. Exit code 0: nothing was predicted wrongly.
set -euo pipefail
cd "$(dirname "$0")/.."

pairs=${1:-5000}
shift || true
seeds=("$@")
if [ ${#seeds[@]} -eq 0 ]; then
  seeds=("$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')")
fi

[ -d build ] || cmake --preset release >/dev/null
cmake --build --preset release --target kernel_tests >&2

failed=0
for seed in "${seeds[@]}"; do
  echo "== tools/differential.sh $pairs $seed"
  FINWAIT_SEED=$seed FINWAIT_DIFFERENTIAL_PAIRS=$pairs FINWAIT_FORWARDED_PAIRS=$((pairs / 10 + 1)) \
    nice -n 19 build/kernel_tests --gtest_filter='DifferentialTest.*:ForwardedDifferentialTest.*' || failed=1
done
exit $failed
