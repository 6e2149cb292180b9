#!/bin/sh
# Installs a release of finwait_exporter on any Linux, and verifies it first. Nothing is changed where anything is wrong.
#
#   install.sh --from=FOLDER_OR_URL [--version=VERSION] [--key=FILE] [--prefix=/usr/local] [--no-service]
#   install.sh --uninstall [--prefix=/usr/local]
#
#   --from      where the release's files are: the tarball, sha256sums.txt and sha256sums.txt.asc
#   --version   which one, where the folder holds more than one
#   --key       the authors' public key; the signature of sha256sums.txt must then be by it. Without it the tarball is held
#               against sha256sums.txt only, which tells a broken download but not a forged one
#   --prefix    the program goes to PREFIX/lib/finwait-exporter, and PREFIX/bin/finwait_exporter links to it
#
# Needs tar, gzip, sha256sum; curl or wget for a URL; gpg for --key. Works with busybox.
set -eu

from='' version='' key='' prefix=/usr/local service=yes remove=no
fail() {
  echo "install.sh: $*; nothing was changed" >&2
  exit 1
}
for argument in "$@"; do
  case $argument in
    --from=?*) from=${argument#*=} ;;
    --version=?*) version=${argument#*=} ;;
    --key=?*) key=${argument#*=} ;;
    --prefix=/*) prefix=${argument#*=} ;;
    --no-service) service=no ;;
    --uninstall) remove=yes ;;
    *)
      sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
done
existing=$prefix # or the nearest folder above it that is there
while [ ! -e "$existing" ]; do existing=$(dirname "$existing"); done
[ "$(id -u)" = 0 ] || [ -w "$existing" ] || fail "only root can write to $prefix; use sudo, or --prefix=\$HOME/.local --no-service"
unit=/etc/systemd/system/finwait-exporter.service
has_systemd() { [ "$service" = yes ] && [ -d /etc/systemd/system ] && [ "$(id -u)" = 0 ]; }
running_systemd() { has_systemd && [ -d /run/systemd/system ]; }

if [ "$remove" = yes ]; then
  if running_systemd && [ -e "$unit" ]; then
    systemctl disable --now finwait-exporter.service
  fi
  rm -rf "$prefix/lib/finwait-exporter" "$prefix/bin/finwait_exporter" "$prefix/bin/finwait-plan" \
    "$prefix/share/man/man8/finwait_exporter.8" "$prefix/share/man/man8/finwait-plan.8" \
    "$prefix/share/bash-completion/completions/finwait_exporter"
  if has_systemd; then
    rm -f "$unit"
  fi
  echo "finwait_exporter is removed; /etc/default/finwait-exporter stays where there was one"
  exit 0
fi

[ -n "$from" ] || fail "--from=FOLDER_OR_URL must say where the release is"
case $(uname -s)/$(uname -m) in
  Linux/x86_64) architecture=amd64 ;;
  Linux/aarch64) architecture=arm64 ;;
  *) fail "there is no release for $(uname -s) on $(uname -m), only for Linux on x86_64 and aarch64" ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

get() {  # NAME: to $work/NAME
  case $from in
    https://* | http://* | file://*)
      if command -v curl >/dev/null; then
        curl --silent --show-error --fail --location --output "$work/$1" "$from/$1"
      else
        wget -q -O "$work/$1" "$from/$1"
      fi
      ;;
    *) cp "$from/$1" "$work/$1" ;;
  esac
}
get sha256sums.txt || fail "cannot get $from/sha256sums.txt"
if [ -n "$key" ]; then
  command -v gpg >/dev/null || fail "gpg is needed for --key; install gnupg"
  get sha256sums.txt.asc || fail "cannot get $from/sha256sums.txt.asc, the signature"
  mkdir -m 700 "$work/gpg"
  gpg --homedir "$work/gpg" --batch --quiet --import "$key" 2>"$work/gpg.log" || fail "$key is not a public key"
  gpg --homedir "$work/gpg" --batch --quiet --trust-model always --verify "$work/sha256sums.txt.asc" "$work/sha256sums.txt" \
    2>>"$work/gpg.log" || { cat "$work/gpg.log" >&2; fail "sha256sums.txt is not signed by $key"; }
  rm -rf "$work/gpg"
else
  echo "install.sh: without --key the tarball is only held against sha256sums.txt, whoever wrote that" >&2
fi
names=$(sed -n "s/^[0-9a-f]\{64\}  \(finwait_exporter-${version:-[^ ]*}\.linux-$architecture\.tar\.gz\)\$/\1/p" "$work/sha256sums.txt" |
  grep -v '\.debug\.tar\.gz$' || true)
case $(echo "$names" | wc -w) in
  0) fail "sha256sums.txt names no finwait_exporter-${version:-VERSION}.linux-$architecture.tar.gz" ;;
  1) ;;
  *) fail "there are several versions; choose one with --version:
$names" ;;
esac
get "$names" || fail "cannot get $from/$names"
(cd "$work" && grep -F "  $names" sha256sums.txt | sha256sum -c - >/dev/null 2>&1) ||
  fail "$names is not the file that sha256sums.txt speaks of: it is damaged or forged"

name=${names%.tar.gz}
mkdir -p "$prefix/lib" "$prefix/bin"
new=$prefix/lib/.finwait-exporter.new
rm -rf "$new"
mkdir "$new"
# Root keeps no owner out of an archive.
tar -x -z -o -f "$work/$names" -C "$new" || { rm -rf "$new"; fail "$names cannot be unpacked"; }
"$new/$name/finwait_exporter" --version >/dev/null || { rm -rf "$new"; fail "the program does not start on this host"; }
rm -rf "$prefix/lib/finwait-exporter"
mv "$new/$name" "$prefix/lib/finwait-exporter"
rmdir "$new"
home=$prefix/lib/finwait-exporter
ln -sf ../lib/finwait-exporter/finwait_exporter "$prefix/bin/finwait_exporter"
ln -sf ../lib/finwait-exporter/finwait-plan "$prefix/bin/finwait-plan"
for file in share/man/man8/finwait_exporter.8 share/bash-completion/completions/finwait_exporter; do
  mkdir -p "$prefix/${file%/*}"
done
cp "$home/finwait_exporter.8" "$home/finwait-plan.8" "$prefix/share/man/man8/"
cp "$home/finwait_exporter.bash-completion" "$prefix/share/bash-completion/completions/finwait_exporter"

"$prefix/bin/finwait_exporter" --version
if has_systemd; then
  sed "s,^ExecStart=[^ ]*,ExecStart=$prefix/bin/finwait_exporter," "$home/finwait-exporter.service" >"$unit"
  if running_systemd; then
    systemctl daemon-reload
    systemctl try-restart finwait-exporter.service
  fi
  echo "to start it, now and with the host: systemctl enable --now finwait-exporter"
else
  echo "to start it: $prefix/bin/finwait_exporter, as root or with CAP_NET_ADMIN"
fi
