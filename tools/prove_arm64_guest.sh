#!/usr/bin/env bash
# What prove_arm64.sh runs inside, as the first process: the program once, then the tests.
#   prove_arm64_guest.sh FILTER_OF_KERNEL_TESTS FILTER_OF_UNIT_TESTS
set -uo pipefail
trap 'busybox poweroff -f' EXIT
ln -s /proc/self/fd /dev/fd
ip link set lo up
mount -t cgroup2 none /sys/fs/cgroup
modprobe -a tcp_diag nf_conntrack_netlink
echo "== $(uname -srm), $(nproc) CPUs"
/tests/build/finwait_exporter check
echo "check: exit code $?"
ended=0
/tests/build/unit_tests --gtest_color=no --gtest_brief=1 --gtest_filter="$2" || ended=1
/tests/build/kernel_tests --gtest_color=no --gtest_brief=1 --gtest_filter="$1" | tee /tmp/tests.txt || ended=1
grep -q '\[  PASSED  \] [1-9]' /tmp/tests.txt || { echo "FAILED: no test passed: does the filter match one?"; ended=1; }
[ "$ended" -ne 0 ] || echo "arm64: all well"
