#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "collectors/base/result.h"

namespace finwait::kernel::namespaces {

/// The paths of cgroups by their number, which sock_diag tells of each socket: the inode of the cgroup's folder in
/// cgroup v2. A socket outlives its process and may outlive its cgroup, so a path is remembered for a while after the
/// folder is gone; and of a tree that is too large, a part is better than nothing. Where a group stands in the tree as
/// it is now, ControlGroups tells. Not thread-safe.
class CgroupPaths {
 public:
  static constexpr std::size_t kMost = 16'384;
  static constexpr std::chrono::minutes kRemembered{10};

  /// `root`: where cgroup v2 is mounted.
  explicit CgroupPaths(std::string root) : root_(std::move(root)) {}

  /// Walks the whole tree. What is past kMost or the deadline has no path.
  void Walk(SteadyClock::time_point now, Deadline deadline);

  /// As "/system.slice/nginx.service"; null where no walk has seen it.
  const std::string* Find(std::uint64_t number) const;
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [number, known] : paths_) {
      visit(number, known.path);
    }
  }
  std::size_t Size() const { return paths_.size(); }

 private:
  struct Known {
    std::string path;
    SteadyClock::time_point seen;
  };
  std::string root_;
  std::unordered_map<std::uint64_t, Known> paths_;
};

}  // namespace finwait::kernel::namespaces
