#!/usr/bin/env bash
# Puts a program, stripped, and every library that it loads into an empty folder that can be the root of a container.
#
#   collect_root.sh PROGRAM FOLDER
set -euo pipefail
program=$1
root=$2

mkdir -p "$root/usr/bin"
strip -o "$root/usr/bin/$(basename "$program")" "$program"
chmod 755 "$root/usr/bin/$(basename "$program")"

# ldd prints "name => path (address)", and "path (address)" for the loader. /lib may be a link to /usr/lib: the path is
# kept as the loader asks for it, the file behind it is copied.
mapfile -t libraries < <(ldd "$program" | grep -oE '/[^ ]+')
((${#libraries[@]} > 0)) || { echo "collect_root.sh: $program loads no library" >&2; exit 1; }
for library in "${libraries[@]}"; do
  install -D -m 755 "$(realpath "$library")" "$root$library"
done

# The program's own, which is the GPL's because of a library that it loads.
install -D -m 644 "$(dirname "$0")/../deb/copyright" "$root/usr/share/doc/finwait-exporter/copyright"

# Their licences, as Debian has them. Where /lib is a link to /usr/lib, the package may know the file by either path.
for library in "${libraries[@]}"; do
  path=$(realpath "$library")
  owners=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "${path#/usr}")
  package=${owners%%:*}
  install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done
