#!/usr/bin/env bash
# Makes a release of the commit that is checked out: for each architecture a tarball that runs on any Linux, deb, rpm, debug
# symbols and bill of materials; an OCI image of all; apt and dnf trees; sums, signature and provenance. Needs root, 4 GB and
# a Debian mirror. What is not committed is not in it.
#
#   scripts/release.sh [--architectures=amd64,arm64] [--sign=KEY] [--no-repositories] [FOLDER]
#
#   FOLDER is made, build/release unless named. KEY is one that gpg has: with it sha256sums.txt and the trees are signed.
# The same commit and the same packages of Debian's give the same bytes, whenever and in whatever folder. FINWAIT_ROOTS names
# where the systems to build in are kept (/var/cache/finwait-release), packaging/debian-root.sh what else there is to choose.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/release/root.sh
. packaging/release/root.sh
# shellcheck disable=SC2034  # read by inside
inside_keeps="SOURCE_DATE_EPOCH FINWAIT_PROJECT_URL FINWAIT_MAINTAINER FINWAIT_HOMEPAGE GITHUB_SERVER_URL GITHUB_REPOSITORY"

architectures=amd64,arm64
key=''
repositories=yes
out=build/release
for argument in "$@"; do
  case $argument in
    --architectures=?*) architectures=${argument#*=} ;;
    --sign=?*) key=${argument#*=} ;;
    --no-repositories) repositories=no ;;
    -*)
      sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
    *) out=$argument ;;
  esac
done
if [ "$(id -u)" -ne 0 ]; then
  echo "$0: only root can make a Debian system in a directory" >&2
  exit 1
fi
if [ -e "$out" ]; then
  echo "$0: $out exists; name a folder that does not" >&2
  exit 1
fi
revision=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$revision")
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^project(.* VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)
mkdir -p "$out"
out=$(realpath "$out")
# Each build has a folder of its own name: what would depend on it does not stay unnoticed.
name=$(mktemp --dry-run finwait-XXXXXXXX)
started=()
trap 'rm -rf --one-file-system "${started[@]}"' EXIT
trap 'exit 130' INT TERM

images=()
lists=()
for architecture in ${architectures//,/ }; do
  root=$(release_root "$architecture")
  echo "== $architecture"
  prepare_release_root "$architecture"
  folder=$root/$name
  started+=("$folder")
  mkdir -p "$folder/source" "$folder/out"
  git archive "$revision" | tar -x -C "$folder/source"
  release=/$name/source/packaging/release
  inside "$root" "$release/build_program.sh" "$architecture" "/$name/build"
  inside "$root" "$release/make_tree.sh" "$architecture" "/$name/build" "/$name/tree" "/$name/debug"
  inside "$root" "$release/describe.py" "$version" "$architecture" "/$name/build" "/$name/tree" "/$name/debug"
  inside "$root" "$release/make_packages.sh" "$version" "$architecture" "/$name/build" "/$name/tree" "/$name/debug" "/$name/out"
  cp "$folder"/out/* "$out/"
  # shellcheck disable=SC2016  # dpkg-query's
  inside "$root" dpkg-query --show --showformat='${Package}:${Architecture} ${Version}\n' >"$folder/packages"
  images+=("$architecture=$folder/tree")
  lists+=("$folder/packages")
done

echo "== what is for all of them"
git archive --format=tar --prefix="finwait_exporter-$version/" "$revision" | gzip -9n >"$out/finwait_exporter-$version.tar.gz"
SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH "$folder/source/packaging/release/make_chart.sh" "$version" "$out"
packaging/release/make_image.py "$version" "$revision" "$folder/oci" "${images[@]}"
tar --create --directory="$folder/oci" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX --file="$out/finwait_exporter-$version.oci.tar" blobs index.json oci-layout
install -m 755 packaging/install.sh "$out/install.sh"
packaging/release/make_provenance.py "$revision" "$out" "${lists[@]}" >"$folder/provenance.json"
cp "$folder/provenance.json" "$out/finwait_exporter-$version.intoto.json"
(cd "$out" && sha256sum -- * >"$folder/sums" && mv "$folder/sums" sha256sums.txt)
if [ "$repositories" = yes ]; then
  mkdir "$folder/repositories" "$folder/out-all"
  cp "$out"/*.deb "$out"/*.rpm "$folder/out-all/"
  inside "$root" "$release/make_repositories.sh" "/$name/out-all" "/$name/repositories"
  mv "$folder/repositories" "$out/repositories"
fi

if [ -n "$key" ]; then
  sign() { gpg --batch --yes --local-user "$key" --armor "$@"; }
  sign --detach-sign "$out/sha256sums.txt"
  if [ "$repositories" = yes ]; then
    sign --detach-sign --output "$out/repositories/apt/dists/stable/Release.gpg" "$out/repositories/apt/dists/stable/Release"
    sign --clearsign --output "$out/repositories/apt/dists/stable/InRelease" "$out/repositories/apt/dists/stable/Release"
    for index in "$out"/repositories/yum/*/repodata/repomd.xml; do
      sign --detach-sign "$index"
    done
  fi
  gpg --armor --export "$key" >"$out/finwait_exporter.asc"
else
  echo "not signed: name a key with --sign" >&2
fi
echo "$out"
(cd "$out" && du --bytes -- *)
