#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// A BPF program that sees the packets of a control group's sockets (cgroup v2), and may drop them.
struct GroupProgram {
  static constexpr std::uint64_t kRoot = 1;  ///< the number of the tree's root, in which all sockets are

  std::uint64_t group = 0;  ///< its number (INET_DIAG_CGROUP_ID)
  bool outgoing = false;    ///< what the sockets send; else what comes in for them
  std::string name;         ///< with its place: `the BPF program "drop" (17), egress of control group /system.slice`
};

/// Those of all groups, inherited ones included, but for those that all groups inherit from the root: these are the
/// root's. Takes CAP_NET_ADMIN in the first user namespace and the tree's folders; empty where these are missing. At
/// most kMostGroupPrograms. Before Linux 5.19 bpf(2) refused everything without CAP_BPF where unprivileged use of it is
/// disabled (kernel.unprivileged_bpf_disabled, as distributions have it): then those of host.bpf, if any.
std::vector<GroupProgram> ReadGroupPrograms(const Host& host, Deadline deadline);
inline constexpr std::size_t kMostGroupPrograms = 1024;

}  // namespace finwait::kernel
