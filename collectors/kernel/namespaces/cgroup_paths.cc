#include "collectors/kernel/namespaces/cgroup_paths.h"

#include "collectors/kernel/cgroup_walk.h"

namespace finwait::kernel::namespaces {

void CgroupPaths::Walk(SteadyClock::time_point now, Deadline deadline) {
  constexpr std::size_t kLongestPath = 4096;
  std::size_t walked = 0;
  WalkCgroups(root_, deadline, [&](const WalkedCgroup& group) {
    const bool room = paths_.size() < kMost || paths_.find(group.number) != paths_.end();
    if (room && group.path.size() <= kLongestPath) {
      Known& known = paths_[group.number];
      known.path = group.path;
      known.seen = now;
    }
    return ++walked < kMost;
  });
  std::erase_if(paths_, [&](const auto& item) { return now - item.second.seen > kRemembered; });
}

const std::string* CgroupPaths::Find(std::uint64_t number) const {
  const auto found = paths_.find(number);
  return found == paths_.end() ? nullptr : &found->second.path;
}

}  // namespace finwait::kernel::namespaces
