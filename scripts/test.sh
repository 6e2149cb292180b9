#!/usr/bin/env bash
# Installs, builds and runs every test on a bare Debian 12, as root or as an ordinary user (the tests then make their
# networks in a user namespace). Exits 0 only where everything passed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh

lint=0
scripts/lint.sh || lint=$?

tests=0
ctest --test-dir build --output-on-failure --no-tests=error --parallel "$(nproc)" || tests=$?

[ "$lint" -eq 0 ] || echo "scripts/lint.sh failed; see above" >&2
exit $((lint > tests ? lint : tests))
