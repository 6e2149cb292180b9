#!/usr/bin/env bash
# Proves that this commit's tests pass on arm64, cross-built as a release is (scripts/release.sh): the unit tests under
# qemu-user; the kernel tests, and what qemu-user has not of a kernel, under Debian's own in qemu-system-aarch64. Takes one
# and a half hours on 2 cores, root, 8 GB and a Debian mirror; no part of test.sh. What is not committed is not proven.
#   tools/prove_arm64.sh [unit|kernel [GTEST_FILTER]]   both, and all of them, where nothing is named
# FINWAIT_ROOTS names where the system to build in is kept (/var/cache/finwait-tests: a release's has no test libraries).
# What the machine said is left beside it, in bookworm-arm64.console.log.
set -euo pipefail
cd "$(dirname "$0")/.."
export FINWAIT_ROOTS=${FINWAIT_ROOTS:-/var/cache/finwait-tests}
# shellcheck source=tools/proving.sh
. tools/proving.sh
# shellcheck source=tools/guests.sh
. tools/guests.sh
# shellcheck source=packaging/release/root.sh
. packaging/release/root.sh

# What makes the lab's networks inside, and the oracles that the program's numbers are held against.
GUEST_PACKAGES=(mawk iproute2 iptables nftables ipset conntrack procps kmod python3-minimal)
# Unit tests that ask the kernel for a filter of system calls, Landlock, or what memory is resident.
ASK_THE_KERNEL='Sandbox.*:SocketLegacyKernelTest.*:FileDomainTest.*:MemoryPolicy.*'

require_root
which=${1:-both}
filter=${2:-*}
root=$(release_root arm64)
built=$root/tests
prepare_release_root arm64 "${TEST_BUILD_PACKAGES[@]}" "${UNIT_TEST_PACKAGES[@]}"
mkdir -p "$built"
trap 'rm -rf --one-file-system "$built/source" "$root.guest" "$root.start"' EXIT
trap 'exit 130' INT TERM
rm -rf --one-file-system "$built/source"
mkdir "$built/source"
git archive HEAD | tar -x -C "$built/source"

if [ "$which" != kernel ]; then
  step "unit tests for arm64: $(git log -1 --format='commit %h')"
  inside "$root" /tests/source/packaging/release/build_program.sh arm64 /tests/build unit_tests
  inside "$root" file -b /tests/build/unit_tests
  inside "$root" qemu-aarch64-static /tests/build/unit_tests --gtest_brief=1 --gtest_filter="$filter-$ASK_THE_KERNEL"
fi
[ "$which" != unit ] || exit 0

step "kernel tests for arm64: $(git log -1 --format='commit %h')"
scripts/install_packages.sh other_kernel
inside "$root" /tests/source/packaging/release/build_program.sh arm64 /tests/build unit_tests kernel_tests finwait_exporter

# The machine's files: a Debian whose packages are unpacked, not configured, as a script of a package's would run for arm64.
guest=$root.guest
rm -rf --one-file-system "$guest"
# shellcheck disable=SC2016  # expanded inside
mapfile -t libraries < <(inside "$root" bash -euc '
  for program in unit_tests kernel_tests finwait_exporter; do
    aarch64-linux-gnu-readelf --dynamic /tests/build/$program
  done | sed -n "s/.*(NEEDED).*\[\(.*\)\]/\1/p" | sort -u | while read -r library; do
    dpkg-query --search "*/lib/aarch64-linux-gnu/$library"
  done | cut -d : -f 1 | sort -u')
inside_it=("${GUEST_PACKAGES[@]}" "${libraries[@]}")
debootstrap --foreign --arch=arm64 --variant=minbase --include="$(IFS=,; echo "${inside_it[*]}")" "$release_suite" "$guest" \
  "${FINWAIT_MIRROR:-http://deb.debian.org/debian}" >"$root.guest.log"
for package in "$guest"/var/cache/apt/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory="$guest"
done
# debootstrap makes a link of proc where it may not mount one.
rm -rf "$guest"/var/cache/apt/archives "$guest/debootstrap" "$guest/proc"
mkdir "$guest/proc"
# As the packages' own scripts do.
cp "$guest/usr/share/base-passwd/passwd.master" "$guest/etc/passwd"
cp "$guest/usr/share/base-passwd/group.master" "$guest/etc/group"
ln -s mawk "$guest/usr/bin/awk"
for name in iptables ip6tables iptables-save ip6tables-save iptables-restore ip6tables-restore; do
  ln -s "${name/tables/tables-nft}" "$guest/usr/sbin/$name"
done

# The newest of the kernels: linux-image-arm64 only names it. Unpacked beside, as it is kept from run to run.
package=$(inside "$root" apt-cache depends linux-image-arm64:arm64 | sed -n 's/^ *Depends: \(linux-image-[0-9][^:]*\).*/\1/p')
expect "apt knows Debian's kernel for arm64" test -n "$package"
release=${package#linux-image-}
if [ ! -e "$root.kernel/$release/lib/modules/$release/modules.dep" ]; then
  rm -rf "$root.kernel"
  mkdir "$root.kernel"
  # shellcheck disable=SC2016  # expanded inside
  inside "$root" bash -euc 'cd /tests && apt-get -qq -o APT::Sandbox::User=root download "$1" busybox-static:arm64' fetch \
    "$package:arm64"
  dpkg-deb --extract "$built/$package"_*.deb "$root.kernel/$release"
  dpkg-deb --extract "$built"/busybox-static_*.deb "$root.kernel/busybox"
  rm "$built"/*.deb
  /sbin/depmod --basedir "$root.kernel/$release" "$release"
fi
modules=$root.kernel/$release/lib/modules/$release
cp -a "$modules" "$guest/usr/lib/modules.new"
mkdir -p "$guest/usr/lib/modules"
mv "$guest/usr/lib/modules.new" "$guest/usr/lib/modules/$release"

mkdir "$guest/tests"
cp -a "$built/source" "$guest/tests/source"
mkdir "$guest/tests/build"
for program in unit_tests kernel_tests finwait_exporter; do
  inside "$root" aarch64-linux-gnu-strip -o "/tests/$program" "/tests/build/$program"
  mv "$built/$program" "$guest/tests/build/$program"
done
truncate --size=4G "$root.image"
/sbin/mke2fs -q -F -t ext4 -d "$guest" "$root.image"

start=$root.start
rm -rf "$start"
mkdir -p "$start"/{bin,proc,sys,root}
cp "$root.kernel/busybox/bin/busybox" "$start/bin/busybox"
# ext4 asks for crc32c by that name, and modules.dep does not tell who has it.
needed=(virtio_pci virtio_blk crc32c_generic ext4)
add_modules "$start" "$modules" "${needed[@]}"
cat >"$start/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev
mount -t devtmpfs devices /dev
for name in ${needed[*]}; do
  modprobe \$name 2>/dev/null
done
mount -t ext4 /dev/vda /root || poweroff -f
mkdir -p /root/proc /root/sys /root/dev /root/tmp /root/run
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mount -t tmpfs memory /root/tmp
mount -t tmpfs memory /root/run
cp /bin/busybox /root/bin/busybox
exec switch_root /root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \\
  /bin/bash /tests/source/tools/prove_arm64_guest.sh '$filter' '$ASK_THE_KERNEL'
END
chmod 755 "$start/init"
pack_start "$start" "$root.start.gz"

# icount: as in other_kernel.sh.
timeout --kill-after=10 7200 qemu-system-aarch64 -M virt -accel "tcg,thread=single" -icount shift=0 -cpu cortex-a72 -smp 1 \
  -m 3G -no-reboot -nodefaults -display none -serial stdio \
  -kernel "$root.kernel/$release/boot/vmlinuz-$release" -initrd "$root.start.gz" -append "console=ttyAMA0 quiet panic=-1" \
  -drive "file=$root.image,format=raw,if=none,id=files,cache=unsafe" -device virtio-blk-pci,drive=files \
  </dev/null | sed --unbuffered 's|\r||g' | tee "$root.console.log"
rm "$root.image"
expect "all passed on $release" grep -qx 'arm64: all well' "$root.console.log"
