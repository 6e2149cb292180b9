#!/usr/bin/env bash
# Builds the program at build/finwait_exporter on a bare Debian 12 or 13: installs what is missing, configures, compiles.
#   scripts/build.sh              the program and its tests
#   scripts/build.sh --no-tests   only the program, with fewer packages
# FINWAIT_WERROR=ON makes a warning an error, as CI does: another compiler than ours has other warnings.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=ON
case "${1-}" in
  "") ;;
  --no-tests) tests=OFF ;;
  *)
    echo "usage: $0 [--no-tests]" >&2
    exit 2
    ;;
esac

# ccache fails where it has no home to keep its cache in, as for a service account.
if [ ! -w "${HOME:-/nonexistent}" ] && [ -z "${CCACHE_DIR-}" ]; then
  export CCACHE_DISABLE=1
fi

if [ "$tests" = ON ]; then
  scripts/install_packages.sh build test
  cmake --preset release -DFINWAIT_UNITY=ON -DFINWAIT_TESTS=ON "-DFINWAIT_WERROR=${FINWAIT_WERROR:-OFF}"
  cmake --build --preset release
else
  scripts/install_packages.sh build
  cmake --preset release -DFINWAIT_UNITY=ON -DFINWAIT_TESTS=OFF "-DFINWAIT_WERROR=${FINWAIT_WERROR:-OFF}"
  cmake --build --preset release --target finwait_exporter
fi
