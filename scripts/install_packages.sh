#!/usr/bin/env bash
# Installs the Debian packages that this project needs and that are missing: install_packages.sh [build] [deb] [test] [demo]
# [bench] [fuzz] [other_kernel]
# Where none is missing it needs neither root nor the network.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/debian-packages.sh
. packaging/debian-packages.sh

wanted=()
for group in "$@"; do
  case $group in
    build) wanted+=("${BUILD_PACKAGES[@]}") ;;
    deb) wanted+=("${DEB_PACKAGES[@]}") ;;
    test) wanted+=("${DEB_PACKAGES[@]}" "${TEST_BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}") ;;
    demo) wanted+=("${DEMO_PACKAGES[@]}") ;;
    bench) wanted+=("${BENCH_PACKAGES[@]}") ;;
    fuzz) wanted+=("${FUZZ_PACKAGES[@]}") ;;
    other_kernel) wanted+=("${OTHER_KERNEL_PACKAGES[@]}") ;;
    *)
      echo "usage: $0 [build] [deb] [test] [demo] [bench] [fuzz] [other_kernel]" >&2
      exit 2
      ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "This script installs Debian packages, and this system has no dpkg. Install what ${wanted[*]} are called here," \
    "then: cmake --preset release && cmake --build --preset release" >&2
  exit 1
fi

is_there() {  # PACKAGE
  case " ${COMMAND_IS_ENOUGH[*]} " in
    *" $1 "*) ! command -v "$1" >/dev/null || return 0 ;;
  esac
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}
missing=()
for package in "${wanted[@]}"; do
  is_there "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "Debian packages are missing and only root can install them; run this script once as root, or:" \
    "sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

# Installing a daemon must not start it. invoke-rc.d and deb-systemd-invoke ask this program first; a container image
# often brings one that forbids all services, and that one stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  {
    printf '#!/bin/sh\ncase "$*" in\n'
    printf '  *%s*) exit 101 ;;\n' "${SERVICES_NOT_STARTED[@]}"
    printf 'esac\nexit 0\n'
  } >"$policy"
  chmod 755 "$policy"
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
options=(-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
apt-get "${options[@]}" -qq update </dev/null ||
  echo "apt-get update failed, at least in part; going on with the package lists that are there" >&2
apt-get "${options[@]}" -qq install -y --no-install-recommends "${missing[@]}" </dev/null

# Nor may it start with the next boot, unless it was there before.
for service in "${SERVICES_NOT_STARTED[@]}"; do
  case " ${missing[*]} " in
    *" $service "*) ! command -v systemctl >/dev/null || systemctl --quiet disable "$service" </dev/null || true ;;
  esac
done
