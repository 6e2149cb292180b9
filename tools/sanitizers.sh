#!/usr/bin/env bash
# Builds everything with AddressSanitizer and UndefinedBehaviorSanitizer, then with ThreadSanitizer, and runs the tests of
# the program under each: unit, kernel, e2e, and the fuzz targets over their corpus.
#   tools/sanitizers.sh [asan|tsan]
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
  "") presets=(asan tsan) ;;
  asan | tsan) presets=("$1") ;;
  *)
    echo "usage: $0 [asan|tsan]" >&2
    exit 2
    ;;
esac

scripts/install_packages.sh build test

# The first report ends the process, so that a test fails for it.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.suppressions"

for preset in "${presets[@]}"; do
  cmake --preset "$preset"
  cmake --build --preset "$preset"
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --label-regex '^(unit|kernel|e2e|fuzz)$' \
    --parallel "$(nproc)"
done
