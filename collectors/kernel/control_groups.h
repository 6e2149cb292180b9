#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// The tree of control groups (cgroup v2), by their numbers: the inodes of their folders, as INET_DIAG_CGROUP_ID and
/// nftables have them. Of one moment and whole, as a rule's answer hangs on each group of the way.
class ControlGroups {
 public:
  static constexpr std::size_t kMostGroups = 20'000;

  /// A group's place in the tree.
  struct Place {
    std::string path;                 ///< from the root: "/system.slice/ssh.service", "/"
    std::vector<std::uint64_t> line;  ///< the numbers of the root, of each group on the way, and its own
  };

  /// Reads the names of all groups. kUnsupported where no cgroup v2 is mounted, or not from its root: in a container.
  static Result<ControlGroups> Read(const Host& host, Deadline deadline);

  /// kError where the tree has no such group (any more).
  Result<Place> Find(std::uint64_t id) const;

 private:
  struct Group {
    std::uint64_t parent = 0;
    std::string name;
  };
  std::map<std::uint64_t, Group> groups_;
  std::string mounted_at_;
};

/// Whether no control group gives a packet a class or a priority: net_cls and net_prio (cgroup v1) are mounted nowhere.
/// False also where that cannot be told.
bool HasNoClassesOfPackets(const Host& host, Deadline deadline);

}  // namespace finwait::kernel
