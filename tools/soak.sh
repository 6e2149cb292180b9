#!/usr/bin/env bash
# The program under churn of connections, conntrack entries, rules and scrapes, in networks of the lab. Fails where memory
# or descriptors grow, a scrape is missed, or a counter goes back; prints its figures.
#   tools/soak.sh [SECONDS]   1800 where nothing is given
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh build test
cmake --preset release >/dev/null
cmake --build --preset release --target e2e_tests finwait_exporter
FINWAIT_SOAK_SECONDS=${1:-1800} exec build/e2e_tests --gtest_filter='SoakTest.*'
