#!/usr/bin/env bash
# Proves that the scripts are enough on a bare Debian: makes one with debootstrap, puts a clone of this commit into it,
# runs them there, and walks the README's way from nothing to a host that Prometheus scrapes. Takes some 20 minutes, root,
# 4 GB, a Debian mirror and the npm registry; no part of test.sh. What is not committed is not proven.
#   tools/prove_bare_debian.sh [DIRECTORY]   where the system is made; it must not exist, and is removed at the end
# FINWAIT_SUITE names another Debian than bookworm (trixie), FINWAIT_MIRROR another mirror than deb.debian.org; http_proxy and
# NODE_EXTRA_CA_CERTS are passed on. FINWAIT_CCACHE names a ccache folder that may save compiling what was compiled before.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/proving.sh
. tools/proving.sh

require_root
root=$(realpath --canonicalize-missing "${1:-/var/tmp/finwait-bare-debian}")
mirror=${FINWAIT_MIRROR:-http://deb.debian.org/debian}
require_new "$root"
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
environment=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CI=true ${http_proxy:+http_proxy="$http_proxy"})
inside() {
  env -i "${environment[@]}" chroot "$root" "$@" </dev/null
}
running_inside() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root")" != "$root" ] || tr '\n' ' ' <"$process/comm"
  done 2>/dev/null
}

suite=${FINWAIT_SUITE:-bookworm}
step "a bare Debian $suite in $root"
debootstrap --variant=minbase "$suite" "$root" "$mirror"
# As on a machine, / is a mount there: tests that make mount namespaces of their own change its propagation.
mount --bind "$root" "$root"
mounted+=("$root")
mount_in proc proc
mount_in sysfs sys
mount_in cgroup2 sys/fs/cgroup  # as systemd has it
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mounted+=("$root/dev")
cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
if [ -n "${NODE_EXTRA_CA_CERTS-}" ]; then
  cp --dereference "$NODE_EXTRA_CA_CERTS" "$root/etc/npm-ca.pem"
  environment+=(NODE_EXTRA_CA_CERTS=/etc/npm-ca.pem)
fi
if [ -n "${FINWAIT_CCACHE-}" ]; then
  mkdir "$root/ccache"
  mount --bind "$FINWAIT_CCACHE" "$root/ccache"
  mounted+=("$root/ccache")
  environment+=(CCACHE_DIR=/ccache CCACHE_BASEDIR=/src CCACHE_NOHASHDIR=1)
fi
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

step "the README's way: run.sh, and a Prometheus with the README's configuration, in a network of their own"
inside /src/scripts/install_packages.sh test  # Prometheus among them
awk '/^```yaml/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$root/src/prometheus.yml"
grep -q 10061 "$root/src/prometheus.yml"
# shellcheck disable=SC2016  # expanded inside
inside unshare --net --pid --fork --kill-child --mount-proc --propagation unchanged bash -euc '
  ip link set lo up
  cd /src
  scripts/run.sh >/tmp/run.log 2>&1 &
  curl --silent --show-error --fail --retry 60 --retry-delay 1 --retry-all-errors http://127.0.0.1:10061/readyz
  grep 127.0.0.1:10061 /tmp/run.log
  prometheus --config.file=prometheus.yml --storage.tsdb.path=/tmp/prometheus --web.listen-address=127.0.0.1:9090 \
    --log.level=warn &
  query() { curl --silent --get --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query || true; echo; }
  for _ in $(seq 120); do
    query "up{job=\"finwait_exporter\"} == 1 and on (instance) finwait_risk_score" >/tmp/answer
    if grep -q "\"value\"" /tmp/answer; then break; fi
    sleep 1
  done
  cat /tmp/answer
  query "count({__name__=~\"finwait_.+\"})"
  curl --silent http://127.0.0.1:9090/api/v1/rules | grep -o "\"health\":\"[a-z]*\"" | sort | uniq -c
' | tee "$root/tmp/newcomer.log"
expect "Prometheus has the host and its risk score" grep -q '"value"' "$root/tmp/newcomer.log"
rm "$root/src/prometheus.yml"

step "scripts/test.sh"
inside /src/scripts/test.sh
left=$(running_inside)
expect "nothing was left running (${left:-nothing})" test -z "$left"

step "once more, as an ordinary user and without any network"
inside chown -R nobody:nogroup /src
inside unshare --net setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/nonexistent /src/scripts/build.sh

step "proven"
