#!/usr/bin/env bash
# Proves that the scripts are enough on a bare Debian 12: makes one with debootstrap, puts a clone of this commit into it
# and runs them there. Takes some 10 minutes, root, 3 GB and a Debian mirror; no part of test.sh. What is not committed
# is not proven.
#   scripts/prove_bare_debian.sh [DIRECTORY]   where the system is made; it must not exist, and is removed at the end
# FINWAIT_MIRROR names another mirror than deb.debian.org; http_proxy is passed on.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
  echo "$0: only root can make a Debian system in a directory" >&2
  exit 1
fi
root=$(realpath --canonicalize-missing "${1:-/var/tmp/finwait-bare-debian}")
mirror=${FINWAIT_MIRROR:-http://deb.debian.org/debian}
if [ -e "$root" ]; then
  echo "$0: $root exists; name a directory that does not" >&2
  exit 1
fi
if ! command -v debootstrap >/dev/null; then
  apt-get -qq install -y --no-install-recommends debootstrap </dev/null
fi

mounted=()
clean_up() {
  for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
    umount --recursive "${mounted[i]}" || umount --recursive --lazy "${mounted[i]}"
  done
  mounted=()
  rm -rf --one-file-system "$root"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mount_in() {  # TYPE NAME, at /NAME inside
  mount -t "$1" "$1" "$root/$2"
  mounted+=("$root/$2")
}
# In the system, without this shell's environment: HOME and PATH are those of a fresh login.
inside() {
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CI=true ${http_proxy:+http_proxy="$http_proxy"} \
    chroot "$root" "$@" </dev/null
}
running_inside() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root")" != "$root" ] || tr '\n' ' ' <"$process/comm"
  done 2>/dev/null
}
step() { printf '\n=== %s\n' "$*"; }
expect() {  # WHAT COMMAND...: the command must succeed
  local what=$1
  shift
  if "$@"; then
    echo "ok: $what"
  else
    echo "FAILED: $what" >&2
    exit 1
  fi
}

step "a bare Debian 12 in $root"
debootstrap --variant=minbase bookworm "$root" "$mirror"
mount_in proc proc
mount_in sysfs sys
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mounted+=("$root/dev")
cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
git clone --quiet --no-hardlinks . "$root/src"
git -C "$root/src" log -1 --format='commit %h: %s'

step "not root, and nothing is installed: one clear sentence"
inside chown -R nobody:nogroup /src
message=$(inside setpriv --reuid=nobody --regid=nogroup --clear-groups /src/scripts/build.sh --no-tests 2>&1) && exit 1
echo "$message"
expect "it names the command that helps" grep -q 'sudo apt-get install .*cmake' <<<"$message"
inside chown -R root:root /src

step "scripts/build.sh --no-tests, as run.sh calls it"
inside /src/scripts/build.sh --no-tests
expect "the program is there" test -x "$root/src/build/finwait_exporter"
expect "and starts" inside /src/build/finwait_exporter --version
expect "the tests' packages were not installed" test ! -e "$root/usr/bin/clang-tidy"

step "scripts/test.sh"
inside /src/scripts/test.sh
left=$(running_inside)
expect "nothing was left running (${left:-nothing})" test -z "$left"

step "once more, as an ordinary user and without any network"
inside chown -R nobody:nogroup /src
inside unshare --net setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/nonexistent /src/scripts/build.sh

step "proven"
