#!/usr/bin/env bash
# The package under a real systemd: installed, started in its whole sandbox, upgraded while it runs, watched, removed. The
# machine is this one seen through an overlay that is gone afterwards, with a systemd of its own that starts nothing but
# this service. run.sh gives it namespaces of every kind; /proc/sys and /sys are read-only, so nothing reaches the host.
#
#   service.sh OLD.deb NEW.deb EMPTY_FOLDER    as process 1 of a PID namespace; says "service: all well" if it is and
#                                              "service: over" in any case, and goes on until it is killed
set -euo pipefail
[[ $$ == 1 ]] || { echo "service.sh must be process 1 of a PID namespace" >&2; exit 1; }

mount --make-rprivate /
mount -t tmpfs tmpfs "$3"
mkdir "$3"/{upper,work,root}
root=$3/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$3/upper,workdir=$3/work" "$root"
mount -t proc proc "$root/proc"
mount -o bind,ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root"/dev/{pts,shm,mqueue,hugepages}
ln -s pts/ptmx "$root/dev/ptmx"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
cp "$1" "$root/old.deb"
cp "$2" "$root/new.deb"
ip link set lo up
iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP

rm -f "$root/usr/sbin/policy-rc.d" # build machines forbid services by it
# A machine of one service: without the targets that would set up hardware, clocks and sysctls.
mkdir -p "$root/etc/systemd/system/finwait-exporter.service.d"
printf '[Unit]\nDefaultDependencies=no\n' >"$root/etc/systemd/system/finwait-exporter.service.d/alone.conf"
printf '[Unit]\nDefaultDependencies=no\n' >"$root/etc/systemd/system/nothing.target"

# shellcheck disable=SC2317  # some functions are called by name, through `eventually`
drive() {
  trap 'echo "service: over"' EXIT
  fail() {
    echo "service: $*"
    inside systemctl --no-pager status finwait-exporter || true
    exit 1
  }
  inside() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
  show() { inside systemctl show --value -p "$1" finwait-exporter; }
  eventually() {
    for _ in $(seq 300); do
      if "$@"; then return 0; fi
      sleep 0.1
    done
    return 1
  }
  booted() { [[ -n $(inside systemctl show --value -p Version 2>/dev/null) ]]; }
  answers() { inside curl --silent --fail --max-time 5 "http://127.0.0.1:10061$1"; }
  ready() { answers /readyz >/dev/null; }
  stopped() { ! answers /healthz >/dev/null; }
  fed() { [[ $(show WatchdogTimestampMonotonic) -gt $1 ]]; }
  restarted() { [[ $(show NRestarts) -ge 1 && $(show MainPID) != "$1" && $(show MainPID) != 0 ]]; }

  eventually booted || fail "systemd does not boot"
  echo "== install starts it"
  inside dpkg -i /old.deb || fail "install"
  [[ $(show ActiveState) == active ]] || fail "not active after the installation"
  eventually ready || fail "not ready"
  local metrics
  metrics=$(answers /metrics)
  grep -q '^finwait_collector_success{.*} 1$' <<<"$metrics" || fail "no collector works"
  grep '^finwait_collector_success{.*} 0$' <<<"$metrics" && fail "a collector fails in the sandbox"
  grep -q '^finwait_firewall_invalid_drop_rules{backend="legacy",family="ipv4",hook="output"} 1$' <<<"$metrics" ||
    fail "the legacy rule is not seen"
  local server reader pid
  server=$(show MainPID)
  reader=$(grep -l "^PPid:[[:space:]]*$server$" "$root"/proc/[0-9]*/status | sed -E 's|.*/proc/([0-9]+)/status|\1|')
  for pid in "$server" "$reader"; do
    grep -E '^(Name|Uid|Groups|CapEff|CapBnd|NoNewPrivs|Seccomp):' "$root/proc/$pid/status"
    grep -q '^Seccomp:\s*2$' "$root/proc/$pid/status" || fail "no seccomp filter"
  done
  grep -q '^CapEff:\s*0000000000000000$' "$root/proc/$server/status" || fail "the server has a capability"
  grep -q '^CapEff:\s*0000000000001000$' "$root/proc/$reader/status" || fail "not exactly CAP_NET_ADMIN"
  grep -q '^finwait_exporter_sandbox{layer="seccomp"} 1$' <<<"$metrics" || fail "the sandbox is not whole"

  echo "== an upgrade restarts it"
  local before
  before=$(show MainPID)
  inside dpkg -i /new.deb || fail "upgrade"
  [[ $(show ActiveState) == active && $(show MainPID) != "$before" ]] || fail "not restarted"
  eventually ready || fail "not ready after the upgrade"

  echo "== the watchdog restarts it when it hangs"
  printf '[Service]\nWatchdogSec=4\nRestartSec=0\n' >"$root/etc/systemd/system/finwait-exporter.service.d/watchdog.conf"
  inside systemctl daemon-reload
  inside systemctl restart finwait-exporter
  before=$(show MainPID)
  local sign last_sign=0
  for sign in first second third; do # of life; three take longer than one period
    eventually fed "$last_sign" || fail "no $sign sign of life"
    last_sign=$(show WatchdogTimestampMonotonic)
  done
  [[ $(show MainPID) == "$before" && $(show NRestarts) == 0 ]] || fail "the watchdog bites a healthy service"
  kill -STOP "$before"
  eventually restarted "$before" || fail "the watchdog does not bite"
  eventually ready || fail "not ready after the watchdog"

  echo "== remove stops it, purge leaves nothing"
  inside dpkg -r finwait-exporter || fail "remove"
  [[ $(show ActiveState) != active ]] || fail "still active"
  eventually stopped || fail "still answers"
  inside dpkg -P finwait-exporter || fail "purge"
  echo "service: all well"
}

drive &
export container=lxc # systemd then leaves alone what belongs to the host
exec chroot "$root" /lib/systemd/systemd --system --unit=nothing.target --log-target=null --show-status=no
