#!/usr/bin/env bash
# Proves that this commit builds without a warning and passes its unit tests on every supported Debian, by its gcc and its
# clang: each in a fresh system that debootstrap makes. Takes an hour on 2 cores, root, 8 GB and a Debian mirror; no part of
# test.sh. What is not committed is not proven.
#   tools/prove_distributions.sh [SUITE/COMPILER...]   all of bookworm/gcc bookworm/clang trixie/gcc trixie/clang unless named
# FINWAIT_ROOTS names where the systems are kept for another time (else they are removed); packaging/debian-root.sh what else
# there is to choose.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/proving.sh
. tools/proving.sh
# shellcheck source=packaging/debian-packages.sh
. packaging/debian-packages.sh
# shellcheck source=packaging/debian-root.sh
. packaging/debian-root.sh

require_root
[ $# -gt 0 ] || set -- bookworm/gcc bookworm/clang trixie/gcc trixie/clang
roots=${FINWAIT_ROOTS-}
if [ -z "$roots" ]; then
  roots=$(mktemp -d /var/tmp/finwait-distributions.XXXXXX)
  trap 'rm -rf --one-file-system "$roots"' EXIT
fi
trap 'exit 130' INT TERM

table=()
failed=0
for pair in "$@"; do
  suite=${pair%/*}
  compiler=${pair#*/}
  case $compiler in
    gcc) command=g++ ;;
    clang) command=clang++ ;;
    *)
      echo "usage: $0 [SUITE/gcc|SUITE/clang...]" >&2
      exit 2
      ;;
  esac
  root=$roots/$suite
  echo "== $suite, $compiler"
  make_debian "$suite" "$root"
  install_in "$root" "${BUILD_PACKAGES[@]}" "${TEST_BUILD_PACKAGES[@]}" "${UNIT_TEST_PACKAGES[@]}" clang
  rm -rf "$root/src"
  mkdir "$root/src"
  git archive HEAD | tar -x -C "$root/src"
  version=$(inside "$root" $command -dumpfullversion 2>/dev/null || inside "$root" $command -dumpversion)
  build=/src/build/$compiler
  log=$root-$compiler.log
  outcome="does not build"
  # Without optimisation GCC sees less to warn of. Several files at once, as scripts/build.sh does.
  if inside "$root" cmake -S /src -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DFINWAIT_UNITY=ON \
    -DCMAKE_CXX_COMPILER=$command >"$log" 2>&1 &&
    inside "$root" cmake --build "$build" --parallel "${FINWAIT_JOBS:-$(nproc)}" --target all >>"$log" 2>&1; then
    if inside "$root" "$build/unit_tests" --gtest_brief=1 >>"$log" 2>&1; then
      outcome=$(grep -a '^\[  PASSED  \]' "$log" | tail -1 | tr -d '[]' | xargs)
    else
      outcome="unit tests fail"
    fi
  fi
  warnings=$(grep -c 'warning:' "$log" || true)
  case $outcome in
    PASSED*) [ "$warnings" -eq 0 ] || failed=1 ;;
    *)
      failed=1
      tail -30 "$log"
      ;;
  esac
  table+=("$(printf '%-10s %-6s %-8s %8s   %s' "$suite" "$compiler" "$version" "$warnings" "$outcome")")
done

git log -1 --format='%ncommit %h: %s'
printf '%-10s %-6s %-8s %8s   %s\n' Debian by version warnings unit_tests
printf '%s\n' "${table[@]}"
exit "$failed"
