#!/usr/bin/env bash
# Makes a release of the commit that is checked out: for each architecture a tarball that runs on any Linux, deb, rpm, debug
# symbols and bill of materials; an OCI image of all; apt and dnf trees; sums, signature and provenance. Needs root, 4 GB and
# a Debian mirror. What is not committed is not in it.
#
#   scripts/release.sh [--architectures=amd64,arm64] [--sign=KEY] [--no-repositories] [FOLDER]
#
#   FOLDER is made, build/release unless named. KEY is one that gpg has: with it sha256sums.txt and the trees are signed.
# The same commit and the same packages of Debian's give the same bytes, whenever and in whatever folder. FINWAIT_ROOTS names
# where the systems to build in are kept (/var/cache/finwait-release); FINWAIT_MIRROR another mirror than deb.debian.org,
# FINWAIT_CCACHE a ccache folder.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/debian-packages.sh
. packaging/debian-packages.sh

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
command -v debootstrap >/dev/null || apt-get -qq install -y --no-install-recommends debootstrap </dev/null

revision=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$revision")
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^project(.* VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)
roots=${FINWAIT_ROOTS:-/var/cache/finwait-release}
mirror=${FINWAIT_MIRROR:-http://deb.debian.org/debian}
mkdir -p "$out" "$roots"
out=$(realpath "$out")
# Each build has a folder of its own name: what would depend on it does not stay unnoticed.
name=$(mktemp --dry-run finwait-XXXXXXXX)
started=()
trap 'rm -rf --one-file-system "${started[@]}"' EXIT
trap 'exit 130' INT TERM

inside() {  # ROOT COMMAND...: with mounts that end with the command
  local root=$1
  shift
  # shellcheck disable=SC2016  # expanded inside
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    if [ -n "${FINWAIT_CCACHE-}" ]; then
      mkdir -p "$root/ccache"
      mount --bind "$FINWAIT_CCACHE" "$root/ccache"
    fi
    exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=UTC DEBIAN_FRONTEND=noninteractive \
      SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" ${http_proxy:+http_proxy="$http_proxy"} \
      ${FINWAIT_JOBS:+FINWAIT_JOBS="$FINWAIT_JOBS"} ${FINWAIT_PROJECT_URL:+FINWAIT_PROJECT_URL="$FINWAIT_PROJECT_URL"} \
      ${FINWAIT_CCACHE:+CCACHE_DIR=/ccache} ${FINWAIT_CCACHE-CCACHE_DISABLE=1} chroot "$root" "$@"
  ' inside "$root" "$@" </dev/null
}

prepare_root() {  # ARCHITECTURE: a Debian of this machine's architecture that builds for ARCHITECTURE
  local root=$roots/$release_suite-$1
  if [ ! -e "$root/etc/debian_version" ]; then
    rm -rf --one-file-system "$root.new"
    debootstrap --variant=minbase "$release_suite" "$root.new" "$mirror" >"$root.log"
    printf '%s\n' "deb $mirror $release_suite main" "deb $mirror $release_suite-updates main" \
      "deb ${mirror%/debian}/debian-security $release_suite-security main" >"$root.new/etc/apt/sources.list"
    mv "$root.new" "$root"
  fi
  cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
  local packages=("${RELEASE_TOOLS[@]}") package
  if [ "$1" = "$(dpkg --print-architecture)" ]; then
    packages+=("${BUILD_PACKAGES[@]}")
  else
    inside "$root" dpkg --add-architecture "$1"
    packages+=("crossbuild-essential-$1" qemu-user-static)
    for package in "${BUILD_PACKAGES[@]}"; do
      case $package in
        *-dev) packages+=("$package:$1") ;;
        *) packages+=("$package") ;;
      esac
    done
  fi
  inside "$root" apt-get -qq -o Acquire::Retries=3 update
  inside "$root" apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 dist-upgrade -y >>"$root.log"
  inside "$root" apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${packages[@]}" >>"$root.log"
}

images=()
lists=()
for architecture in ${architectures//,/ }; do
  root=$roots/$release_suite-$architecture
  echo "== $architecture"
  prepare_root "$architecture"
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
