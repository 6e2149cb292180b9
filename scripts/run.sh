#!/usr/bin/env bash
# Builds the exporter on a bare Debian 12 or 13 and starts it in the foreground on 127.0.0.1:10061. Arguments go to it.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh --no-tests

cat <<'END'

finwait_exporter starts; Ctrl-C ends it.
  this host's diagnosis   http://127.0.0.1:10061/
  its metrics             http://127.0.0.1:10061/metrics
END
if [ "$(id -u)" -eq 0 ]; then
  # As the package's unit does: asking sockets or conntrack would load these, and the program loads nothing by looking.
  modprobe --quiet --all tcp_diag nf_conntrack_netlink 2>/dev/null || true
else
  echo "  It is not root: it will say what it cannot see without CAP_NET_ADMIN."
fi
echo

exec build/finwait_exporter --web.listen-address=127.0.0.1:10061 "$@"
