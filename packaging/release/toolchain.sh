# shellcheck shell=bash disable=SC2034  # sourced; the readers are elsewhere
# How a release is compiled for an architecture on Debian, be it its own or another one.

jobs=${FINWAIT_JOBS:-$(nproc)}

# choose_toolchain ARCHITECTURE: sets triplet (GNU's name), cmake_toolchain (CMake's options), CXX and OBJCOPY.
choose_toolchain() {
  case $1 in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *)
      echo "no toolchain is known for the architecture '$1': use amd64 or arm64" >&2
      return 2
      ;;
  esac
  CXX=$triplet-g++
  OBJCOPY=$triplet-objcopy
  cmake_toolchain=(-DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_LIBRARY_ARCHITECTURE="$triplet"
    -DPKG_CONFIG_EXECUTABLE="/usr/bin/$triplet-pkg-config")
  if [ "$1" != "$(dpkg --print-architecture)" ]; then
    cmake_toolchain+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="${triplet%%-*}"
      -DCMAKE_CROSSCOMPILING_EMULATOR="$(command -v "qemu-${triplet%%-*}-static" || true)")
  fi
}
