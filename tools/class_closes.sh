#!/usr/bin/env bash
# The long form of the closes by class: of every ruleset that real software has written (tests/cases/real), `explain --all`
# is asked, of each class that it tells apart one connection is opened and closed without its entry, and what the sockets
# do is held against the class.
#
#   tools/class_closes.sh
#
# Exit code 0: no class was wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -d build ] || cmake --preset release >/dev/null
cmake --build --preset release --target e2e_tests >&2
FINWAIT_CLASS_CLOSES=all nice -n 19 build/e2e_tests --gtest_filter='*ClassClosesTest*' --gtest_brief=1
