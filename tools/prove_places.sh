#!/usr/bin/env bash
# Thousands of sockets at tens of rules of both tools and families: what is said of them adds up, and each rule's advice,
# followed for real, frees exactly its own. CI plays the same with 3000 sockets at 40 rules. Takes a minute, as root.
#   tools/prove_places.sh [SOCKETS [PLACES [BUILD_FOLDER]]]
set -euo pipefail
cd "$(dirname "$0")/.."

FINWAIT_STUCK=${1:-3000} FINWAIT_PLACES=${2:-40} exec "${3:-build}/e2e_tests" --gtest_filter='PlacesTest.*'
