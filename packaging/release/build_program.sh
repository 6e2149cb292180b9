#!/usr/bin/env bash
# Builds the program of a release, for this architecture or another one, against Debian's shared libraries.
#
#   build_program.sh ARCHITECTURE BUILD [TARGET...]   amd64 or arm64; BUILD is the build folder; without a target
#                                                     finwait_exporter is built
#
# The same sources give the same bytes in whatever folder and at whatever time.
set -euo pipefail
architecture=$1
build=$(realpath --canonicalize-missing "$2")
shift 2
here=$(dirname "$(realpath "$0")")
source=$(realpath "$here/../..")
# shellcheck source=packaging/release/toolchain.sh
. "$here/toolchain.sh"
choose_toolchain "$architecture"

tests=ON
if [ $# -eq 0 ]; then
  tests=OFF
  set -- finwait_exporter
fi
# No path of this machine is left in the program: not in its debug information, not in a message.
flags="-ffile-prefix-map=$source=/usr/src/finwait_exporter -ffile-prefix-map=$build=/usr/src/finwait_exporter/build"
flags+=" -fstack-protector-strong -fstack-clash-protection"
[ "$architecture" != amd64 ] || flags+=" -fcf-protection"
cmake -S "$source" -B "$build" -G Ninja "${cmake_toolchain[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_CXX_FLAGS="-D_FORTIFY_SOURCE=2 $flags" \
  -DCMAKE_EXE_LINKER_FLAGS="-pie -Wl,-z,relro,-z,now -Wl,--build-id=sha1" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
  -DFINWAIT_UNITY=ON -DFINWAIT_WITNESS=ON -DFINWAIT_TESTS=$tests >"$build.cmake.log" 2>&1 || { cat "$build.cmake.log" >&2; exit 1; }
cmake --build "$build" --parallel "$jobs" --target "$@"
