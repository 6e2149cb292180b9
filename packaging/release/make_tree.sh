#!/usr/bin/env bash
# Makes the folder that a release consists of: the program with its loader and its libraries, for any host of this
# architecture, and everything an installation has beside it.
#
#   make_tree.sh ARCHITECTURE BUILD TREE DEBUG   BUILD is what build_program.sh made; TREE and DEBUG (symbols) are made
set -euo pipefail
architecture=$1
build=$(realpath "$2")
tree=$3
debug=$4
here=$(dirname "$(realpath "$0")")
source=$(realpath "$here/../..")
# shellcheck source=packaging/release/toolchain.sh
. "$here/toolchain.sh"
choose_toolchain "$architecture"

mkdir -p "$tree/lib" "$debug"
tree=$(realpath "$tree")
"$CXX" -std=c++20 -Os -Wall -Wextra -Werror -fno-exceptions -fno-asynchronous-unwind-tables -ffunction-sections -static-pie \
  "-ffile-prefix-map=$source=/usr/src/finwait_exporter" -Wl,--gc-sections -Wl,--build-id=none -s \
  -o "$tree/finwait_exporter" "$here/launcher.cc"

program=$build/finwait_exporter
"$OBJCOPY" --only-keep-debug --compress-debug-sections "$program" "$debug/finwait_exporter.bin.debug"
"$OBJCOPY" --strip-all "$program" "$tree/lib/finwait_exporter.bin"
(cd "$debug" && "$OBJCOPY" --add-gnu-debuglink=finwait_exporter.bin.debug "$tree/lib/finwait_exporter.bin")

# The loader prints "name => path (address)"; of the vdso it has no path, and its own is printed alone.
loader=$("$triplet-readelf" --program-headers "$program" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
emulator=()
[ "$architecture" = "$(dpkg --print-architecture)" ] || emulator=("qemu-${triplet%%-*}-static")
install -m 755 "$(realpath "$loader")" "$tree/lib/finwait_exporter"
mapfile -t libraries < <("${emulator[@]}" "$loader" --list "$program" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort)
((${#libraries[@]} > 0)) || { echo "make_tree.sh: $program loads no library" >&2; exit 1; }
: >"$debug/libraries.tsv"
for library in "$loader" "${libraries[@]}"; do
  path=$(realpath "$library")
  [ "$library" = "$loader" ] || install -m 644 "$path" "$tree/lib/$(basename "$library")"
  # Where /lib is a link to /usr/lib, the package may know the file by either path.
  owner=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "${path#/usr}")
  printf '%s\t%s\n' "$(basename "$library")" "${owner%%: *}" >>"$debug/libraries.tsv"
done
