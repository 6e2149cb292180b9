#!/usr/bin/env bash
# Checks what packaging/ makes: the systemd unit and its sandbox, the Debian package and its life cycle, and every form of a
# release made of this build.
#
#   run.sh [BUILD_FOLDER]     default: build
#
# Needs root (namespaces, dpkg); without it this exits 77 (ctest's skip).
set -euo pipefail
build=$(realpath "${1:-build}")
cd "$(dirname "$0")"

if [[ $(id -u) != 0 ]]; then
  echo "skipped: the packaging checks need root" >&2
  exit 77
fi
export FINWAIT_PROGRAM=$build/finwait_exporter
unshare --net /usr/bin/python3 -m unittest sandbox_test

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$("$FINWAIT_PROGRAM" --version | sed 's/.* //')
for one in "$version" "$version.1"; do
  (cd "$work" && umask 022 && cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/$one" -D CPACK_PACKAGE_VERSION="$one" >"$work/cpack.log") ||
    { cat "$work/cpack.log" >&2; exit 1; }
done
old=$(echo "$work/$version"/*.deb)
new=$(echo "$work/$version.1"/*.deb)

lintian --allow-root --fail-on error,warning "$old"
# A library under the GPL puts the program under the GPL, and the package has to say so. Each text is read whole before it is
# searched: a grep that ends at its first match would end what writes to it by SIGPIPE, and pipefail calls that a failure.
dpkg-deb --fsys-tarfile "$old" >"$work/package.tar"
copyright=$(tar -xOf "$work/package.tar" ./usr/share/doc/finwait-exporter/copyright)
depends=$(dpkg-deb --field "$old" Depends)
if [[ $depends =~ libnetfilter-conntrack|libnftnl && $copyright != *GPL-3.0-or-later* ]]; then
  echo "the program links a library under the GPL, and packaging/deb/copyright does not say what that means" >&2
  exit 1
fi
mkdir "$work/overlay"
unshare --mount --net ./life_cycle.sh "$old" "$new" "$work/overlay"

# A release, as scripts/release.sh makes it in systems of its own.
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(stat --format=%Y "$FINWAIT_PROGRAM")
export SOURCE_DATE_EPOCH
making=../../packaging/release
mkdir "$work/release" "$work/empty"
$making/make_tree.sh "$architecture" "$build" "$work/tree" "$work/debug"
$making/describe.py "$version" "$architecture" "$build" "$work/tree" "$work/debug"
$making/make_packages.sh "$version" "$architecture" "$build" "$work/tree" "$work/debug" "$work/release"
$making/make_image.py "$version" none "$work/oci" "$architecture=$work/tree"
tar -C "$work/oci" -cf "$work/release/image.oci.tar" blobs index.json oci-layout
cp ../../packaging/install.sh "$work/release/"
/usr/bin/python3 bill_test.py "$work/release" "$work/tree"
unshare --mount --net ./release_forms.sh "$work/release" "$work/empty"
./ansible.sh "$work/release" "$version"
unshare --mount --net /usr/bin/python3 compose_test.py

# A systemd of its own, which dies with this script. It says "service: over" at the end, and "all well" before if it is.
mkdir "$work/machine"
exec {machine}< <(exec setpriv --pdeathsig KILL unshare --mount --net --pid --fork --ipc --uts --cgroup --kill-child \
  ./service.sh "$old" "$new" "$work/machine" 2>&1)
machine_pid=$!
well=no
while IFS= read -r -t 120 line <&"$machine"; do
  [[ $line != "service: over" ]] || break
  echo "$line"
  [[ $line != "service: all well" ]] || well=yes
done
kill -KILL "$machine_pid" 2>/dev/null || true
wait "$machine_pid" 2>/dev/null || true
[[ $well == yes ]]
