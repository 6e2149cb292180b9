#!/usr/bin/env bash
# Makes the tarball, the deb and the rpm of a release from the tree that make_tree.sh and describe.py made.
#
#   make_packages.sh VERSION ARCHITECTURE BUILD TREE DEBUG OUT   OUT gets the files
#
# SOURCE_DATE_EPOCH is the time of every file in them.
set -euo pipefail
version=$1
architecture=$2
build=$(realpath "$3")
tree=$(realpath "$4")
debug=$(realpath "$5")
out=$(realpath "$6")
here=$(dirname "$(realpath "$0")")
source=$(realpath "$here/../..")
: "${SOURCE_DATE_EPOCH:?is the time of the commit, in seconds since 1970}"
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=finwait_exporter-$version.linux-$architecture

pack() {  # FOLDER NAME: FOLDER's contents as NAME/ in NAME.tar.gz
  tar --create --directory="$1" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --transform="s,^\.,$2," --format=gnu . | gzip -9n >"$out/$2.tar.gz"
}

# Where a package puts things; a build without a package would put them there, too.
stage=$work/stage
DESTDIR=$stage cmake --install "$build" --prefix /usr >"$work/install.log"
home=$stage/usr/lib/finwait-exporter
mkdir -p "$home"
cp -a "$tree/finwait_exporter" "$tree/lib" "$home/"
ln -sf ../lib/finwait-exporter/finwait_exporter "$stage/usr/bin/finwait_exporter"
documents=$stage/usr/share/doc/finwait-exporter
cp -a "$tree/NOTICE" "$tree/licenses" "$documents/"
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

licence=Apache-2.0
! grep -q 'distributed under the GNU General Public License' "$tree/NOTICE" || licence="GPL-3.0-or-later"
cat >"$work/config.cmake" <<END
set(STAGE "$stage")
set(ARCHITECTURE "$architecture")
set(VERSION "$version")
set(LICENCE "$licence")
include("$here/packages.cmake")
END
for generator in DEB RPM; do
  mkdir "$work/$generator"
  (cd "$work/$generator" && cpack -G $generator --config "$work/config.cmake" -B "$work/$generator" >log 2>&1) ||
    { cat "$work/$generator/log" >&2; exit 1; }
done
cp "$work"/DEB/*.deb "$work"/RPM/*.rpm "$out/"

# The tarball: the tree, with what an administrator puts beside it by hand.
contents=$work/contents
cp -a "$tree" "$contents"
cp "$stage/usr/lib/systemd/system/finwait-exporter.service" "$contents/"
sed -i 's,^ExecStart=/usr/bin/,ExecStart=/usr/local/bin/,' "$contents/finwait-exporter.service"
cp "$source/packaging/finwait_exporter.8" "$source/packaging/finwait-plan.8" "$contents/"
install -m 755 "$source/scripts/plan.sh" "$contents/finwait-plan"
cp "$source/packaging/completion/finwait_exporter" "$contents/finwait_exporter.bash-completion"
cp -a "$stage/usr/share/finwait-exporter" "$contents/dashboards"
pack "$contents" "$name"
mkdir "$work/symbols"
cp "$debug/finwait_exporter.bin.debug" "$work/symbols/"
pack "$work/symbols" "$name.debug"
cp "$debug/$name".*.json "$out/"
