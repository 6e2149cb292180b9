#!/usr/bin/env bash
# A fleet of simulated hosts and one real Prometheus that scrapes them with our rules and alerts: what it costs.
#   tools/fleet.sh [HOSTS] [SECONDS]     1000 hosts, 300 seconds of steady state
# Exits 1 when a scrape, a rule or its interval was missed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_packages.sh build test
cmake --preset release >/dev/null
cmake --build --preset release --target finwait_exporter
echo "$(date --iso-8601), $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
  "$(prometheus --version 2>&1 | sed -n 's/^\(prometheus, version [^ ]*\).*/\1/p'), commit $(git rev-parse --short HEAD)"
exec tests/fleet/fleet.py --hosts "${1-1000}" --seconds "${2-300}"
