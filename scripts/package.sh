#!/usr/bin/env bash
# Makes the Debian package on a bare Debian 12: build/packages/finwait-exporter_VERSION_ARCHITECTURE.deb
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install_packages.sh build deb
scripts/build.sh --no-tests
rm -rf build/packages
umask 022  # the modes of the files in the package
(cd build && cpack -G DEB -B packages >packages.log) || {
  cat build/packages.log >&2
  exit 1
}
rm -r build/packages/_CPack_Packages
echo "apt-get install ./$(echo build/packages/*.deb)   # installs and starts it"
