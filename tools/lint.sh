#!/usr/bin/env bash
# Checks the form of the sources: clang-format, shellcheck, clang-tidy (the checks of .clang-tidy, each an error).
#   tools/lint.sh             clang-tidy needs the build's packages and, the first time, half an hour on two cores
#   tools/lint.sh --quick     without clang's analyzer, which takes a third of that: what scripts/test.sh runs
#   tools/lint.sh --no-tidy
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
  "") tidy=(tools/tidy.sh) ;;
  --quick) tidy=(tools/tidy.sh --quick) ;;
  --no-tidy) tidy=() ;;
  *)
    echo "usage: $0 [--quick | --no-tidy]" >&2
    exit 2
    ;;
esac

failed=()

# Each version of clang has its own idea of form and of mistakes: those of Debian 12's count. Elsewhere only shellcheck runs.
clang=14
is_ours() { [[ $("$1" --version) == *"version $clang."* ]] || { echo "skipped: this is not version $clang" && false; }; }

echo "== clang-format"
! is_ours clang-format || find collectors exporter packaging tests \( -name '*.cc' -o -name '*.h' \) -print0 |
  xargs -0 clang-format --dry-run --Werror || failed+=(clang-format)

echo "== shellcheck"
shellcheck --external-sources .ci/run scripts/*.sh tools/*.sh packaging/*.sh packaging/*/*.sh tests/packaging/*.sh || failed+=(shellcheck)

if [ ${#tidy[@]} -gt 0 ]; then
  echo "== clang-tidy"
fi
if [ ${#tidy[@]} -gt 0 ] && is_ours clang-tidy; then
  cmake --preset lint >/dev/null
  # What a file includes that is made by the build.
  if ninja -C build/lint -t query finwait_bpf >/dev/null 2>&1; then
    cmake --build build/lint --target finwait_bpf >/dev/null
  fi
  # Tests are left out: gtest's macros cost more time than they are worth. Two at once, as the smallest machine has cores.
  find collectors exporter -name '*.cc' -print0 | xargs -0 -n 1 -P 2 "${tidy[@]}" || failed+=(clang-tidy)
fi

if [ ${#failed[@]} -gt 0 ]; then
  echo "lint: ${failed[*]} found something to mend" >&2
  exit 1
fi
