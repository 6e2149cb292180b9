#!/usr/bin/env bash
# Shows the failure live, in a terminal and on the page: healthy, predicted, stuck, alerted, fixed; under three minutes.
# Installs what is missing, builds, and leaves no network, process or file of the demo behind, even on Ctrl-C.
# FINWAIT_PROGRAM names a program to show instead of building one.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh demo
if [ -z "${FINWAIT_PROGRAM-}" ]; then
  if [ -e build/CMakeCache.txt ]; then
    cmake --build build --target finwait_exporter
  else
    scripts/build.sh --no-tests
  fi
fi
# As the package's unit does: asking sockets or conntrack would load these, and the program loads nothing by looking.
[ "$(id -u)" -ne 0 ] || modprobe --quiet --all tcp_diag nf_conntrack_netlink 2>/dev/null || true
exec /usr/bin/python3 scripts/demo.py
