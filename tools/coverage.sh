#!/usr/bin/env bash
# Measures which lines the tests reach that need no kernel and no privilege. Needs gcovr (Debian package).
#   coverage.sh [FOLDER]  Of the firewall's reader, evaluator and printer, by their own unit tests with the recordings of
#                         tests/cases: prints the share of each library; with FOLDER, which lines of each file are missed goes
#                         there as HTML. Exit 1 where a library is under 85 %.
#   coverage.sh --all     Of every library, by all unit tests, and by the fuzz targets over their corpus and its mutants, as
#                         a table. Nothing is demanded.
set -euo pipefail
cd "$(dirname "$0")/.."
least=85
build=build/coverage
libraries=(read eval print)

if ! command -v gcovr >/dev/null; then
  echo "coverage.sh needs gcovr: apt-get install gcovr" >&2
  exit 2
fi

compile() { # TARGET...
  cmake --preset coverage >/dev/null
  cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target "$@"
}
run() { # TEST_PROGRAM: of what ran before nothing is counted
  find "$build" -name '*.gcda' -delete
  "$build/$1" --gtest_brief=1 >&2
}
gather() { # FILTER [ARGUMENT...]
  local filter=$1
  shift
  gcovr --root . --object-directory "$build" --filter "$filter" "$@" "$build"
}

if [ "${1-}" = --all ]; then
  compile unit_tests fuzz_tests
  by_test=()
  for program in unit_tests fuzz_tests; do
    run "$program"
    gather '(collectors|exporter)/' --json-summary "$build/$program.json"
    by_test+=("$build/$program.json")
  done
  # A library is a folder. Both ran the same lines: those of the programs that were built.
  jq --raw-output --slurp '
    def by_library: reduce .files[] as $file ({}; .[$file.filename | sub("/[^/]*$"; "")] |=
      {lines: (.lines + $file.line_total), reached: (.reached + $file.line_covered)});
    def row($name; $unit; $fuzz): "| \($name) | \($unit.lines) | \($unit.reached * 100 / $unit.lines | floor) % |" +
      " \(if ($fuzz.reached // 0) > 0 then "\($fuzz.reached * 100 / $fuzz.lines | floor) %" else "" end) |";
    def all: reduce .[] as $library ({}; {lines: (.lines + $library.lines), reached: (.reached + $library.reached)});
    (.[0] | by_library) as $unit | (.[1] | by_library) as $fuzz |
    "| library | lines | unit tests | fuzz targets |", "|---|---|---|---|",
    ($unit | keys[] | row("`\(.)`"; $unit[.]; $fuzz[.])), row("all"; $unit | all; $fuzz | all)' "${by_test[@]}"
  exit
fi

compile firewall_unit_tests
run firewall_unit_tests
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
