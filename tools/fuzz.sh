#!/usr/bin/env bash
# Runs the fuzz targets (tests/fuzz) under libFuzzer, one after the other, each from its committed corpus and from what
# earlier runs have found. Ends with a table, and with 1 where something crashed: the input is in build/fuzz/crashes.
#   tools/fuzz.sh [CPU_SECONDS [TARGET...]]   in all, shared out evenly; an hour for all targets where nothing is given
#   tools/fuzz.sh --capture                   records new seeds from the kernel, in networks of the lab
#   tools/fuzz.sh --minimize                  makes the committed corpus of it all: as few and as short as cover as much
set -euo pipefail
cd "$(dirname "$0")/.."

fuzz=build/fuzz/finwait_fuzz
work=$PWD/build/fuzz
committed=tests/fuzz/corpus
# Lengths beyond these are no news, and a seed that takes longer than this is a hang even on a busy machine.
limits=(-max_len=65536 -timeout=60 -rss_limit_mb=2048)

scripts/install_packages.sh build test fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
mapfile -t targets < <("$fuzz" --list)

case "${1-}" in
  --capture)
    cmake --preset release >/dev/null
    cmake --build --preset release --target capture_fuzz_seeds
    build/capture_fuzz_seeds "$work/corpus"
    exit
    ;;
  --minimize)
    for target in "${targets[@]}"; do
      mkdir -p "$work/corpus/$target" "$work/merged/$target"
      # Large inputs cover little that small ones do not.
      "$fuzz" "--target=$target" -merge=1 -max_len=16384 "$work/merged/$target" "$committed/$target" \
        "$work/corpus/$target" 2>"$work/merge.log"
      echo "$target: $(find "$work/merged/$target" -type f | wc -l) inputs," \
        "$(du --bytes --summarize "$work/merged/$target" | cut -f 1) bytes"
    done
    exit
    ;;
esac

budget=${1:-3600}
shift || true
[ $# -eq 0 ] || targets=("$@")
share=$((budget / ${#targets[@]}))

# Sets cpu to the seconds of CPU that this script's children have used; libFuzzer only knows the clock on the wall. Not in
# a subshell, which has children of its own.
measure_cpu() {
  times >"$times"
  cpu=$(awk -F '[ms ]+' 'END { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' "$times")
}
times=$(mktemp)
trap 'rm "$times"' EXIT

# One target reads files, which should be no more than memory.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
mkdir -p "$work/crashes" "$work/logs"
crashed=0
printf '%-18s %12s %10s %8s %8s\n' target executions "CPU s" edges crashes
for target in "${targets[@]}"; do
  mkdir -p "$work/corpus/$target"
  log=$work/logs/$target
  : >"$log"
  measure_cpu
  start=$cpu
  used=0
  crashes=0
  while [ "$used" -lt "$share" ]; do
    slice=$((share - used < 60 ? share - used : 60))
    if ! "$fuzz" "--target=$target" "${limits[@]}" -max_total_time="$slice" -print_final_stats=1 \
      -artifact_prefix="$work/crashes/$target-" "$work/corpus/$target" "$committed/$target" >>"$log" 2>&1; then
      crashes=$((crashes + 1))
      [ "$crashes" -lt 3 ] || break  # the same one again and again
    fi
    measure_cpu
    used=$((cpu - start))
  done
  crashed=$((crashed + crashes))
  executions=$(awk '/^stat::number_of_executed_units:/ { sum += $2 } END { printf "%d", sum }' "$log")
  edges=$(grep --only-matching --perl-regexp ' cov: \K[0-9]+' "$log" | sort -n | tail -1) || true  # none where it crashed at once
  printf '%-18s %12s %10s %8s %8s\n' "$target" "$executions" "$used" "${edges:-0}" "$crashes"
done
[ "$crashed" -eq 0 ] || { echo "something crashed: see $work/crashes and $work/logs" >&2 && exit 1; }
