#!/usr/bin/env bash
# Runs the program and its tests under another kernel, in qemu: that of the Debian that FINWAIT_SUITE names, bookworm (6.1)
# unless named; bullseye has 5.10. The kernel is downloaded and unpacked, never installed, and this machine's files are lent
# to it read-only, so nothing changes here. By KVM where this machine has one that boots an ordinary kernel; else emulated,
# which takes half an hour, more on a busy machine. No part of test.sh.
#   tools/other_kernel.sh [GTEST_FILTER]   default: all of kernel_tests, and of e2e_tests the failure's variants,
#                                          prediction, the witness, and what only this kernel has (VRF, IPVS, ipvlan)
# Needs root, a build (scripts/build.sh) and a Debian mirror (FINWAIT_MIRROR). Leaves what the machine said in
# build/other_kernel/SUITE.log.
# Exits 0 only where looking loaded no kernel module and every test passed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/guests.sh
. tools/guests.sh

if [ "$(id -u)" -ne 0 ]; then
  echo "$0: only root can lend this machine's files to another" >&2
  exit 1
fi
for program in finwait_exporter kernel_tests e2e_tests; do
  [ -x build/$program ] || { echo "$0: build/$program is missing; run scripts/build.sh first" >&2; exit 1; }
done
folder=$PWD/build/other_kernel
mkdir -p "$folder"
scripts/install_packages.sh other_kernel

# apt, asked about that Debian alone: this machine's own lists stay as they are.
suite=${FINWAIT_SUITE:-bookworm}
mirror=${FINWAIT_MIRROR:-http://deb.debian.org/debian}
lists=$folder/$suite
mkdir -p "$lists/partial"
printf '%s\n' "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$lists.list"
apt=(-qq -o Dir::Etc::SourceList="$lists.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$lists"
  -o Dir::Cache="$lists" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update
# linux-image-amd64 only names the newest: linux-image-6.1.0-NN-amd64.
package=$(apt-cache "${apt[@]}" depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
if [ -z "$package" ]; then
  echo "$0: $mirror has no linux-image-amd64 for $suite" >&2
  exit 1
fi
release=${package#linux-image-}
modules=$folder/$release/lib/modules/$release
if [ ! -e "$modules/modules.dep.bin" ]; then
  rm -rf "${folder:?}/$release"
  (cd "$folder" && apt-get "${apt[@]}" download "$package")
  dpkg-deb --extract "$folder/$package"_*.deb "$folder/$release"
  rm "$folder/$package"_*.deb
  /sbin/depmod --basedir "$folder/$release" "$release"
fi

# What the kernel starts with: enough to reach this machine's files over 9p. Writes go to memory, and so does all that was
# here below /tmp and /run.
start=$folder/start
rm -rf "$start"
mkdir -p "$start"/{bin,sbin,proc,sys,files,memory,root}
cp "$(command -v busybox)" "$start/bin/busybox"
add_modules "$start" "$modules" virtio_pci 9pnet_virtio 9p overlay
cat >"$start/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for name in virtio_pci 9pnet_virtio 9p overlay; do
  modprobe \$name || echo "other kernel: module \$name cannot be loaded"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 files /files
mount -t tmpfs memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/files,upperdir=/memory/upper,workdir=/memory/work overlay /root
mkdir -p /root/lib/modules /root/proc /root/sys /root/dev /root/tmp /root/run
ln -s $modules /root/lib/modules/$release
mount -t devtmpfs devices /root/dev
mount -t tmpfs memory /root/tmp
mount -t tmpfs memory /root/run
mount --move /proc /root/proc
mount --move /sys /root/sys
# Not chroot: a process of a chroot may not make user namespaces, and the kernel looks for modprobe in the first process's root.
exec switch_root /root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \\
  /bin/bash $PWD/tools/other_kernel_guest.sh ${1:+"'$1'"}
END
chmod 755 "$start/init"
pack_start "$start" "$folder/start.gz"

# A machine that says nothing but that it runs, and ends.
runs_by_kvm() {
  [ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
  local trial=$folder/trial
  rm -rf "$trial"
  mkdir -p "$trial/bin"
  cp "$(command -v busybox)" "$trial/bin/busybox"
  printf '#!/bin/busybox sh\n/bin/busybox echo it runs\n/bin/busybox poweroff -f\n' >"$trial/init"
  chmod 755 "$trial/init"
  pack_start "$trial" "$folder/trial.gz"
  # One that needs a kernel made for it (pvm) is there, too, and never gets so far.
  timeout --kill-after=5 15 qemu-system-x86_64 -accel kvm -cpu host -smp 1 -m 512M -no-reboot -nodefaults \
    -display none -serial stdio -kernel "$folder/$release/boot/vmlinuz-$release" -initrd "$folder/trial.gz" \
    -append "console=ttyS0 quiet panic=-1" </dev/null 2>/dev/null | grep 'it runs' >/dev/null
}

# icount: the machine's clock counts its instructions, one a nanosecond, and runs with ours only while it idles. Emulation
# and this machine's other load then cost no time that a test inside could see. (With a clock of its own, calibrated while
# others compute, it was seen to run 15 times too fast.)
if runs_by_kvm; then
  machine=(-accel kvm -cpu host)
else
  machine=(-accel "tcg,thread=single" -icount shift=0 -cpu max)
fi
echo "== qemu ${machine[*]}"
timeout --kill-after=10 5400 qemu-system-x86_64 "${machine[@]}" -smp 1 -m 3G -no-reboot \
  -nodefaults -display none -serial stdio \
  -kernel "$folder/$release/boot/vmlinuz-$release" -initrd "$folder/start.gz" \
  -append "console=ttyS0 quiet panic=-1 no_timer_check" \
  -fsdev local,id=files,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=files,mount_tag=files \
  </dev/null | sed --unbuffered 's|\r||g' | tee "$folder/$suite.log"

grep -qx 'other kernel: all well' "$folder/$suite.log"
