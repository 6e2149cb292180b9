#!/usr/bin/env bash
# Proves a release of this commit: makes it twice, in two folders at two times, and compares every byte; then installs each
# form as on its first day, on fresh Debians through apt, too, and changes a byte that apt must refuse. Takes an hour on 2
# cores, root, 8 GB and a Debian mirror; no part of test.sh. What is not committed is not proven.
#   tools/prove_release.sh [RELEASE.SH OPTION...]   as --architectures=amd64
# FINWAIT_ROOTS and the rest are as in scripts/release.sh. The key that signs is made for this run alone.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/proving.sh
. tools/proving.sh
# shellcheck source=packaging/debian-root.sh
. packaging/debian-root.sh

require_root
work=$(mktemp -d /var/tmp/finwait-release.XXXXXX)
trap 'gpgconf --kill all 2>/dev/null; rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM

export GNUPGHOME=$work/gpg
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key release@example.com ed25519 sign never
unset FINWAIT_CCACHE  # both times everything is compiled

for time in first second; do
  step "a release, the $time time: $(git log -1 --format='commit %h')"
  /usr/bin/env time --format="%E on the clock, %U s of processor" scripts/release.sh --sign=release@example.com "$@" "$work/$time"
done
differences=$(cd "$work"; diff --recursive --brief first second |
  grep -vE '(sha256sums\.txt\.asc|InRelease|Release\.gpg|repomd\.xml\.asc) differ$') || true
expect "the two are equal in every byte but the signatures'${differences:+: $differences}" test -z "$differences"

release=$work/first
step "every form, as on its first day"
mkdir "$work/empty"
unshare --mount --net tests/packaging/release_forms.sh "$release" "$work/empty"

architecture=$(dpkg --print-architecture)
for suite in bookworm trixie; do
  step "apt on $suite"
  root=$work/$suite
  make_debian "$suite" "$root"
  mkdir -p "$root/etc/apt/keyrings"
  cp -a "$release/repositories/apt" "$root/release"
  cp "$release/finwait_exporter.asc" "$root/etc/apt/keyrings/"
  echo "deb [signed-by=/etc/apt/keyrings/finwait_exporter.asc] file:/release stable main" >"$root/etc/apt/sources.list.d/finwait.list"
  inside "$root" apt-get -qq update
  inside "$root" apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends finwait-exporter >"$root.log" 2>&1
  expect "it is installed and starts" inside "$root" finwait_exporter --version
  # shellcheck disable=SC2016  # dpkg-query's
  expect "nothing but init-system-helpers was needed" \
    [ "$(inside "$root" dpkg-query --show --showformat='${Depends}' finwait-exporter)" = "init-system-helpers (>= 1.54~)" ]
  # shellcheck disable=SC2016  # expanded inside
  unshare --mount --net bash -euc '
    mount -t proc proc "$1/proc"
    ip link set lo up
    chroot "$1" finwait_exporter --web.listen-address=127.0.0.1:10061 --log.level=warn &
    curl --silent --show-error --fail --retry 100 --retry-delay 1 --retry-all-errors --output /dev/null http://127.0.0.1:10061/readyz
    curl --silent --fail http://127.0.0.1:10061/metrics | grep ^finwait_risk_score
    kill $!
    wait $!
  ' serve "$root" 2>"$root.serve.log" || { cat "$root.serve.log" >&2; exit 1; }
  inside "$root" apt-get -qq -o Dpkg::Use-Pty=0 purge -y finwait-exporter >>"$root.log" 2>&1
  expect "purge leaves nothing" [ -z "$(cd "$root" && find usr etc -path '*finwait*' ! -path '*/apt/*')" ]

  package=$(echo "$root/release/pool/"*_"$architecture".deb)
  size=$(stat --format=%s "$package")
  byte=$(od -An -tu1 -j $((size / 2)) -N 1 "$package")
  # shellcheck disable=SC2059  # an octal escape
  printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$package" bs=1 seek=$((size / 2)) conv=notrunc status=none
  inside "$root" apt-get clean
  said=$(inside "$root" apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends finwait-exporter 2>&1) &&
    { echo "FAILED: apt installs a package with a changed byte" >&2; exit 1; }
  expect "apt refuses a package with a changed byte" grep -qi 'hash sum mismatch\|unexpected size' <<<"$said"
  sed -i 's/^Suite: .*/Suite: forged/' "$root/release/dists/stable/InRelease"
  said=$(inside "$root" apt-get update 2>&1) || true
  expect "and an index that is not as it was signed" grep -qi 'invalid signature\|BADSIG\|not signed\|signature verification failed' <<<"$said"
done

step "proven"
(cd "$release" && du --bytes -- * && du --summarize --bytes .)
