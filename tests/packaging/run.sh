#!/usr/bin/env bash
# Checks what packaging/ makes: documented flags, the systemd unit and its sandbox, the Debian package and its life cycle.
#
#   run.sh [BUILD_FOLDER]     default: build
#
# Needs root (namespaces, dpkg), systemd, dpkg-dev, curl, iptables; lintian where it is there. Exits 77 (ctest's skip) without root.
set -euo pipefail
cd "$(dirname "$0")"
build=$(realpath "${1:-../../build}")

if [[ $(id -u) != 0 ]]; then
  echo "skipped: the packaging checks need root" >&2
  exit 77
fi
export FINWAIT_PROGRAM=$build/finwait_exporter
unshare --net python3 -m unittest flags_test sandbox_test

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --build "$build" --target finwait_packaging
version=$("$FINWAIT_PROGRAM" --version | sed 's/.* //')
for one in "$version" "$version.1"; do
  (cd "$work" && umask 022 && cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/$one" -D CPACK_PACKAGE_VERSION="$one" >"$work/cpack.log") ||
    { cat "$work/cpack.log" >&2; exit 1; }
done
old=$(echo "$work/$version"/*.deb)
new=$(echo "$work/$version.1"/*.deb)

if command -v lintian >/dev/null; then
  lintian --allow-root --fail-on error,warning "$old"
else
  echo "lintian is not installed: the package is not linted" >&2
fi
mkdir "$work/overlay"
unshare --mount --net ./life_cycle.sh "$old" "$new" "$work/overlay"

# A systemd of its own needs cgroup v2 and overlayfs, which not every container has.
mkdir "$work/machine"
unshare --mount --net --pid --fork --ipc --uts --cgroup --kill-child ./service.sh "$old" "$new" "$work/machine" >"$work/service.log" 2>&1 &
machine=$!
for _ in $(seq 900); do
  if grep -q '^service: ' "$work/service.log" || ! kill -0 "$machine" 2>/dev/null; then break; fi
  sleep 0.1
done
sleep 0.3 # what it says after a failure
kill -KILL "$machine" 2>/dev/null || true
wait "$machine" 2>/dev/null || true
cat "$work/service.log"
grep -q '^service: all well$' "$work/service.log"
