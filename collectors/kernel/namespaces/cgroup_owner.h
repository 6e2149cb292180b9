#pragma once

#include <string>
#include <string_view>

#include "collectors/kernel/namespaces/owner.h"

namespace finwait::kernel::namespaces {

/// What the path of a cgroup says of who is in it, before anything is asked for names.
struct CgroupOwner {
  OwnerKind kind = OwnerKind::kOther;
  std::string pod_uid;       ///< kPod: with dashes, as Kubernetes writes it
  std::string container_id;  ///< hexadecimal; empty where the path has none
  std::string name;          ///< kUnit: the unit; kContainer: a name that is in the path itself (LXC, nspawn)
  bool operator==(const CgroupOwner&) const = default;
};

/// Reads a cgroup's path, such as /proc/PID/cgroup has it. Knows the pods of Kubernetes (both cgroup drivers, cgroup v1
/// and v2), containerd, CRI-O, Docker, podman, LXC, systemd's units and its nspawn machines. Anything else is kOther.
/// Never longer than kLongestName a part.
CgroupOwner OwnerOfCgroup(std::string_view path);
inline constexpr std::size_t kLongestName = 255;

/// The path of a process's own group in /proc/PID/cgroup: that of cgroup v2, or where a hierarchy of cgroup v1 says
/// more, that of it. Empty where there is none.
std::string_view BestCgroupPath(std::string_view proc_cgroup);

}  // namespace finwait::kernel::namespaces
