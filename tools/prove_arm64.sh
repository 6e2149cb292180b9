#!/usr/bin/env bash
# Proves that this commit's unit tests pass on arm64: cross-built as a release is (scripts/release.sh), run under qemu-user.
# Takes half an hour on 2 cores, root, 6 GB and a Debian mirror; no part of test.sh. What is not committed is not proven.
#   tools/prove_arm64.sh [GTEST_FLAG...]
# FINWAIT_ROOTS names where the system to build in is kept (/var/cache/finwait-tests: a release's has no test libraries).
set -euo pipefail
cd "$(dirname "$0")/.."
export FINWAIT_ROOTS=${FINWAIT_ROOTS:-/var/cache/finwait-tests}
# shellcheck source=tools/proving.sh
. tools/proving.sh
# shellcheck source=packaging/release/root.sh
. packaging/release/root.sh

require_root
root=$(release_root arm64)
folder=$root/unit
prepare_release_root arm64 "${TEST_BUILD_PACKAGES[@]}"
mkdir -p "$folder"
trap 'rm -rf --one-file-system "$folder/source"' EXIT
trap 'exit 130' INT TERM
rm -rf --one-file-system "$folder/source"
mkdir "$folder/source"
git archive HEAD | tar -x -C "$folder/source"
step "unit tests for arm64: $(git log -1 --format='commit %h')"
inside "$root" /unit/source/packaging/release/build_program.sh arm64 /unit/build unit_tests
inside "$root" file -b /unit/build/unit_tests
inside "$root" qemu-aarch64-static /unit/build/unit_tests --gtest_brief=1 "$@"
