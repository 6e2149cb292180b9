#!/usr/bin/env bash
# The package's life on a machine: installed, upgraded, removed, purged, with dpkg itself. The machine is this one, seen
# through an overlay that takes all changes and is gone afterwards; run.sh gives it mount and network namespaces of its own.
#
#   life_cycle.sh OLD.deb NEW.deb EMPTY_FOLDER
set -euo pipefail
old=$(realpath "$1")
new=$(realpath "$2")

overlay=$(realpath "$3")
mount --make-rprivate /
mount -t tmpfs tmpfs "$overlay"
mkdir "$overlay"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$overlay/upper,workdir=$overlay/work" "$overlay/root"
root=$overlay/root
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /dev "$root/dev"
cp "$old" "$root/old.deb"
cp "$new" "$root/new.deb"
ip link set lo up

fail() {
  echo "life cycle: $*" >&2
  exit 1
}
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
# shellcheck disable=SC2016  # dpkg-query expands it
status() { inside dpkg-query -W -f '${Status} ${Version}' finwait-exporter 2>/dev/null || true; }
expect_status() { [[ $(status) == "$1" ]] || fail "status is '$(status)', not '$1'"; }
enabled() { [[ -L $root/etc/systemd/system/multi-user.target.wants/finwait-exporter.service ]]; }
defaults=$root/etc/default/finwait-exporter

echo "== install"
inside dpkg -i /old.deb
expect_status "install ok installed $(dpkg-deb -f "$old" Version)"
enabled || fail "the unit is not enabled"
[[ $(inside finwait_exporter --version) == finwait_exporter,* ]] || fail "the program does not run"
inside systemd-analyze verify --man=no finwait-exporter.service || fail "the installed unit is not right"
grep -q '^ExecStart=/usr/bin/finwait_exporter ' "$root/usr/lib/systemd/system/finwait-exporter.service" || fail "ExecStart"
for file in alerts.yaml rules.yaml host.json fleet.json exporter.json runbook.md; do
  [[ -s $root/usr/share/finwait-exporter/$file ]] || fail "$file is missing"
done
inside dpkg --verify finwait-exporter || fail "files differ from the package's"

echo "== upgrade keeps what the administrator chose"
echo 'FINWAIT_EXPORTER_ARGS="--log.level=warn"' >"$defaults"
rm "$root/etc/systemd/system/multi-user.target.wants/finwait-exporter.service"
inside dpkg --force-confdef --force-confold -i /new.deb
expect_status "install ok installed $(dpkg-deb -f "$new" Version)"
grep -q log.level=warn "$defaults" || fail "the flags are lost"
enabled && fail "the upgrade enabled what was disabled"

echo "== installed again, the same version"
inside dpkg --force-confold -i /new.deb
expect_status "install ok installed $(dpkg-deb -f "$new" Version)"

echo "== remove leaves the configuration and no program"
inside dpkg -r finwait-exporter
expect_status "deinstall ok config-files $(dpkg-deb -f "$new" Version)"
[[ ! -e $root/usr/bin/finwait_exporter ]] || fail "the program is still there"
[[ -e $defaults ]] || fail "remove took the configuration"

echo "== purge leaves nothing"
inside dpkg -P finwait-exporter
[[ -z $(status) || $(status) == "unknown ok not-installed "* ]] || fail "still known: $(status)"
left=$(find "$root"/{etc,usr,lib,var/lib/systemd} -xdev -iname '*finwait*' -print 2>/dev/null | grep -v /usr/src/ || true)
# What this machine itself has by that name is not the package's.
left=$(while read -r path; do [[ -n $path && -e $overlay/upper${path#"$root"} ]] && echo "$path"; done <<<"$left" || true)
[[ -z $left ]] || fail "left behind: $left"
echo "life cycle: all well"
