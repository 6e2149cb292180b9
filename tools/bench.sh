#!/usr/bin/env bash
# Builds and runs the benchmarks: what the exporter costs against the kernel's own share and against the tools of today.
# Prints Markdown tables; docs/performance.md keeps a run and says how to read it.
#   tools/bench.sh           a few minutes, below the default limit of conntrack entries; as root or an ordinary user
#   tools/bench.sh --full    1,000,000 entries, 100,000 sockets, 50,000 rules; needs root, 4 GB of memory, 20 minutes.
#                              Raises nf_conntrack_max of this machine meanwhile and puts it back.
# Other work on the machine disturbs absolute times, ratios hardly: what is compared runs in turn.
set -euo pipefail
cd "$(dirname "$0")/.."

full=false
case "${1-}" in
  "") ;;
  --full) full=true ;;
  *)
    echo "usage: $0 [--full]" >&2
    exit 2
    ;;
esac

scripts/install_packages.sh build test bench
cmake --preset release >/dev/null
cmake --build --preset release --target finwait_exporter bench_host bench_evaluation bench_service bench_micro

limit=/proc/sys/net/netfilter/nf_conntrack_max
if $full; then
  if [ ! -w "$limit" ]; then
    echo "--full makes 1,000,000 conntrack entries, and only root in the initial network namespace can make room for" \
      "them ($limit). Run it as root, or without --full." >&2
    exit 2
  fi
  before=$(cat "$limit")
  trap 'echo "$before" >"$limit"' EXIT
  trap 'exit 130' INT TERM
  echo 1200000 >"$limit"
fi

echo "$(date --iso-8601), $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
  "Linux $(uname -r), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), commit $(git rev-parse --short HEAD)"
# From small to large: the kernel takes minutes to clear a table that a namespace has left behind, and all dumps walk it.
build/bench_micro --benchmark_repetitions=9 --benchmark_min_time=0.2 --benchmark_report_aggregates_only
build/bench_service load 1000 100 100 120
build/bench_host growth 100000
if $full; then
  build/bench_host rules 50000 7
  build/bench_evaluation 100000 10000
  build/bench_host sockets 100000 11
  build/bench_host table 100000 10000 11
  build/bench_host table 1000000 10000 7
  build/bench_host walk 1000000 11
  build/bench_service load 1000000 100000 50000 480
else
  build/bench_host rules 10000 5
  build/bench_evaluation 20000 10000
  build/bench_host sockets 20000 7
  build/bench_host table 200000 10000 7
  build/bench_service load 200000 20000 10000 240
fi
