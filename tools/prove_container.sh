#!/usr/bin/env bash
# Proves the image without any registry: makes a Debian 12 with debootstrap for the build stage, builds
# packaging/container/Dockerfile of this commit on it with buildah, looks at what is in the image, and lets crun run it in
# a network namespace of its own, with one capability and with none. Takes some 10 minutes, root, 3 GB and a Debian
# mirror; no part of test.sh. What is not committed is not proven.
#   tools/prove_container.sh [DIRECTORY]   where all is made; it must not exist, and is removed at the end
# FINWAIT_MIRROR names another mirror than deb.debian.org; http_proxy is passed on. FINWAIT_CCACHE names a ccache folder
# that may save compiling what was compiled before.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/proving.sh
. tools/proving.sh

require_root
work=$(realpath --canonicalize-missing "${1:-/var/tmp/finwait-container}")
mirror=${FINWAIT_MIRROR:-http://deb.debian.org/debian}
require_new "$work"
missing=()
for tool in debootstrap buildah crun; do
  command -v $tool >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} -eq 0 ] || apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null

mkdir -p "$work"
# In a mount namespace of our own: whatever buildah mounts is gone when we are.
if [ -z "${FINWAIT_UNSHARED-}" ]; then
  trap 'rm -rf --one-file-system "$work"' EXIT
  rmdir "$work"
  FINWAIT_UNSHARED=yes unshare --mount --pid --fork --kill-child --mount-proc tools/prove_container.sh "$work"
  exit
fi

export TMPDIR=$work/tmp
mkdir "$TMPDIR"
revision=$(git rev-parse HEAD)

store=(buildah --root "$work/store" --runroot "$work/run" --storage-driver "${FINWAIT_STORAGE_DRIVER:-overlay}")
image() { "${store[@]}" inspect --type image --format "$1" localhost/finwait-exporter; }

step "a Debian 12 to build on"
debootstrap --variant=minbase bookworm "$work/debian" "$mirror" >"$work/debootstrap.log"
base=$("${store[@]}" from scratch)
"${store[@]}" add --quiet "$base" "$work/debian" / >/dev/null
"${store[@]}" commit --quiet --rm "$base" localhost/debian:12 >/dev/null
rm -rf --one-file-system "$work/debian"

step "the image, from $(git log -1 --format='commit %h: %s' "$revision")"
mkdir "$work/source"
git archive "$revision" | tar -x -C "$work/source"
version=$(sed -n 's/^project(.* VERSION \([^ ]*\).*/\1/p' CMakeLists.txt)
cache=()
if [ -n "${FINWAIT_CCACHE-}" ]; then
  mkdir "$work/ccache"
  printf 'base_dir = /src\nhash_dir = false\n' >"$work/ccache/ccache.conf"
  cache=(--volume "$work/ccache:/root/.config/ccache" --volume "$FINWAIT_CCACHE:/root/.cache/ccache")
fi
"${store[@]}" build --isolation chroot --pull-never --file "$work/source/packaging/container/Dockerfile" \
  --build-arg BUILD_BASE=localhost/debian:12 --build-arg REVISION="$revision" \
  --build-arg CREATED="$(git log -1 --format=%cI "$revision")" "${cache[@]}" --tag localhost/finwait-exporter "$work/source" >"$work/build.log" 2>&1 ||
  { tail -40 "$work/build.log" >&2; exit 1; }
expect "its user is a number" [ "$(image '{{.OCIv1.Config.User}}')" = 65534:65534 ]
expect "it says what it is: version $version" \
  [ "$(image '{{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}')" = "$version" ]
expect "and of which commit" \
  [ "$(image '{{index .OCIv1.Config.Labels "org.opencontainers.image.revision"}}')" = "$revision" ]

step "what is in it"
container=$("${store[@]}" from --pull-never localhost/finwait-exporter)
root=$("${store[@]}" mount "$container")
(cd "$root" && find . -type f ! -name copyright -printf '%9s %p\n' | sort -k2)
size=$(du -s --block-size=1 --apparent-size "$root" | cut -f1)
expect "it is small: $((size / 1000000)) MB" [ "$size" -lt 32000000 ]
expect "there is no shell in it" [ -z "$(find "$root" -name '*sh' -type f)" ]
libraries=$(find "$root" -name '*.so*' -type f | wc -l)
licences=$(find "$root/usr/share/doc" -name copyright | wc -l)
expect "$libraries libraries, $licences licences of packages" [ "$licences" -gt 0 ]
"${store[@]}" umount "$container" >/dev/null

# A network namespace of its own stands in for the host's; a cgroup tree, which crun looks for, is private too.
drop=()
for capability in CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT; do
  drop+=(--cap-drop "CAP_$capability")
done
# shellcheck disable=SC2016  # expanded inside
serve='
  set -euo pipefail
  ip link set lo up
  mount -t tmpfs tmpfs /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  "$@" >&2 &
  curl --silent --show-error --fail --retry 60 --retry-delay 1 --retry-all-errors http://127.0.0.1:10061/readyz
  curl --silent --fail http://127.0.0.1:10061/metrics
  for process in /proc/[0-9]*; do
    [ "$(cat "$process/comm" 2>/dev/null)" != finwait_exporte ] || grep -E "^(Uid|CapEff|CapBnd|Seccomp):" "$process/status"
  done
'
run() {  # USER [OPTION...]: serves, and prints one scrape and what the process may do
  local user=$1
  shift
  unshare --net --mount --cgroup --pid --fork --kill-child --mount-proc bash -c "$serve" serve \
    "${store[@]}" run --isolation oci --runtime crun --runtime-flag cgroup-manager=disabled --network host --user "$user" \
    "${drop[@]}" "$@" "$container" -- /usr/bin/finwait_exporter --log.level=error
}

step "it serves, as uid 0 with CAP_NET_ADMIN and nothing else"
answer=$(run 0 --cap-add CAP_NET_ADMIN)
grep -E '^(finwait_collector_success|Uid|Cap|Seccomp)' <<<"$answer"
expect "exactly one capability" grep -q '^CapEff:.0000000000001000$' <<<"$answer"
expect "every collector works" [ -z "$(grep '^finwait_collector_success.* 0$' <<<"$answer")" ]
expect "the risk is known" grep -q '^finwait_risk_score 0$' <<<"$answer"

step "it serves, as the image's own user without any capability"
answer=$(run 65534:65534)
grep -E '^(finwait_collector_success|Uid|Cap|Seccomp)' <<<"$answer"
expect "no capability" grep -q '^CapEff:.0000000000000000$' <<<"$answer"
expect "sockets are seen" grep -q '^finwait_collector_success{collector="sockets"} 1$' <<<"$answer"
expect "the risk is absent, not 0" [ -z "$(grep '^finwait_risk_score' <<<"$answer")" ]

step "proven"
