#!/usr/bin/env bash
# Installs, builds and runs every test on a bare Debian 12 or 13, as root or as an ordinary user (the tests then make their
# networks in a user namespace). Exits 0 only where everything passed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh

lint=0
tools/lint.sh --quick || lint=$?

# Modules that nothing of the program loads, but all tests need, where the kernel has them as modules.
[ "$(id -u)" -ne 0 ] || modprobe --quiet --all tcp_diag nf_conntrack_netlink 2>/dev/null || true

tests=0
ctest --test-dir build --output-on-failure --no-tests=error --parallel "$(nproc)" || tests=$?

[ "$lint" -eq 0 ] || echo "tools/lint.sh failed; see above" >&2
exit $((lint > tests ? lint : tests))
