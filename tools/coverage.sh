#!/usr/bin/env bash
# Measures which lines of the firewall's reader, evaluator and printer the unit tests reach: coverage.sh [FOLDER].
#
# Only what needs no kernel and no privilege counts: the tests of tests/unit/collectors/firewall with the recordings of
# tests/cases. Prints the share of each library; with FOLDER, which lines of each file are missed goes there as HTML.
# Exit 1 where a library is under 85 %. Needs gcovr (Debian package).
set -euo pipefail
cd "$(dirname "$0")/.."
least=85
build=build/coverage
libraries=(read eval print)

if ! command -v gcovr >/dev/null; then
  echo "coverage.sh needs gcovr: apt-get install gcovr" >&2
  exit 2
fi

cmake --preset coverage >/dev/null
cmake --build --preset coverage -- -j"${JOBS:-$(nproc)}"
find "$build" -name '*.gcda' -delete  # of an earlier run
"$build"/firewall_unit_tests --gtest_brief=1

gather() { # FILTER [ARGUMENT...]
  local filter=$1
  shift
  gcovr --root . --object-directory "$build" --filter "$filter" "$@" "$build"
}
missed=0
summary=$(gather "collectors/firewall/($(IFS='|' && echo "${libraries[*]}"))/" --json-summary -)
for library in "${libraries[@]}"; do
  read -r reached lines share < <(jq --raw-output --arg folder "collectors/firewall/$library/" '
    [.files[] | select(.filename | startswith($folder))] | (map(.line_covered) | add) as $reached |
    (map(.line_total) | add) as $lines | "\($reached) \($lines) \($reached * 1000 / $lines | floor / 10)"' <<< "$summary")
  echo "collectors/firewall/$library: $share % of lines ($reached of $lines)"
  if [ $((reached * 100)) -lt $((lines * least)) ]; then
    missed=1
  fi
done
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  gather "collectors/firewall/($(IFS='|' && echo "${libraries[*]}"))/" --html-details "$1/index.html"
  echo "$1/index.html shows the lines that are missed"
fi
if [ $missed -ne 0 ]; then
  echo "at least one is under $least %" >&2
  exit 1
fi
