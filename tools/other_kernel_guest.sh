#!/usr/bin/env bash
# What other_kernel.sh runs inside, as the first process: first looks at a machine on which nothing has used sock_diag,
# nftables or conntrack yet, then the tests.
#   other_kernel_guest.sh [GTEST_FILTER]
set -uo pipefail
cd "$(dirname "$0")/.." || exit
trap 'busybox poweroff -f' EXIT
failed=0
mkdir -p /tmp/look
ln -s /proc/self/fd /dev/fd
# Copies: a build outside, meanwhile, changes nothing here.
for program in finwait_exporter kernel_tests e2e_tests; do
  strip -o /tmp/$program build/$program
  mount --bind /tmp/$program build/$program
done
ip link set lo up
mount -t cgroup2 none /sys/fs/cgroup
echo "== $(uname -srv), $(nproc) CPUs"

fail() {
  echo "FAILED: $*"
  failed=1
}

loaded() { cut -d ' ' -f 1 /proc/modules | sort; }

# Both commands, and half a minute of serving with a look a second. Whatever a module would be loaded for is asked for.
look() {
  local title=$1 before new server
  echo "== $title"
  before=$(loaded)
  build/finwait_exporter check >/tmp/look/check.txt
  echo "check: exit code $?"
  cat /tmp/look/check.txt
  build/finwait_exporter explain 127.0.0.1:10 127.0.0.1:20 >/tmp/look/explain.txt
  echo "explain: exit code $?"
  cat /tmp/look/explain.txt
  build/finwait_exporter --sampling.interval=1s --web.listen-address=127.0.0.1:10061 2>/tmp/look/log.txt &
  server=$!
  sleep 30 # nothing to wait for: it is the absence of something over thirty looks
  curl --silent --max-time 20 http://127.0.0.1:10061/metrics >/tmp/look/metrics.txt
  kill "$server"
  wait "$server" || fail "the service ended with $?: $(tail -3 /tmp/look/log.txt)"
  grep '^finwait_collector_success' /tmp/look/metrics.txt || fail "no metrics: $(tail -3 /tmp/look/log.txt)"
  new=$(comm -13 <(echo "$before") <(loaded) | tr '\n' ' ')
  if [ -n "$new" ]; then
    fail "looking loaded $new"
  else
    echo "looking loaded no module"
  fi
}

look "a bare machine: does looking load a module?"
grep -qF 'modprobe tcp_diag' /tmp/look/check.txt || fail "check does not say what to load for sockets"
iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP
look "a rule that uses conntrack, but nothing that asked conntrack or sockets yet"
grep -qF 'modprobe nf_conntrack_netlink' /tmp/look/check.txt || fail "check does not say what to load for conntrack"
# As the package's unit does. Modules for what the tests make come by themselves.
modprobe -a tcp_diag nf_conntrack_netlink
look "what the unit loads is loaded"
for collector in conntrack_stats conntrack_table conntrack_events tracking sockets firewall; do
  grep -qx "finwait_collector_success{collector=\"$collector\"} 1" /tmp/look/metrics.txt || fail "collector $collector is blind"
done
iptables -F OUTPUT

echo "== the failure's variants, its prediction, the kernel's own word, and what other kernels lack"
chosen='*VariantTest*:*PredictionTest*:WitnessTest*:ForeignProgramsTest*:*VrfTest*:IpvsTest*:*IpvlanTest*'
build/e2e_tests --gtest_color=no --gtest_filter="${1-$chosen}" | tee /tmp/look/tests.txt || failed=1
echo "== the collectors and the verdict engine"
build/kernel_tests --gtest_color=no --gtest_filter="${1-*}" | tee -a /tmp/look/tests.txt || failed=1
grep -q '^\[       OK \]' /tmp/look/tests.txt || fail "no test passed: does the filter match one?"
[ "$failed" -eq 0 ] && echo "other kernel: all well"
