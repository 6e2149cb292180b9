#include "collectors/kernel/control_groups.h"

#include <algorithm>
#include <string_view>

#include "collectors/base/text.h"
#include "collectors/kernel/cgroup_walk.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

constexpr std::uint64_t kRoot = 1;  // cgroup_id() of the tree's root

}  // namespace

Result<ControlGroups> ControlGroups::Read(const Host& host, Deadline deadline) {
  auto mount = FindCgroup2(host.procfs, deadline);
  if (!mount) {
    return Failure(mount.error());
  }
  ControlGroups all;
  all.mounted_at_ = *mount;
  bool whole = false;
  const bool walked = WalkCgroups(*mount, deadline, [&](const WalkedCgroup& group) {
    if (group.parent == 0) {
      whole = group.number == kRoot;
      return whole;
    }
    all.groups_[group.number] = {group.parent, group.name};
    return all.groups_.size() < kMostGroups;
  });
  if (!whole) {
    return Fail(FailureReason::kUnsupported, "at " + *mount + " only a part of the tree of control groups can be seen");
  }
  if (!walked) {
    return Fail(FailureReason::kError, "read the control groups at " + *mount + ": there are too many");
  }
  return all;
}

Result<ControlGroups::Place> ControlGroups::Find(std::uint64_t id) const {
  Place place;
  for (std::uint64_t at = id; at != kRoot;) {
    const auto group = groups_.find(at);
    if (group == groups_.end()) {
      return Fail(FailureReason::kError, "the socket's control group is not at " + mounted_at_ + " any more");
    }
    place.line.push_back(at);
    place.path.insert(0, "/" + group->second.name);
    at = group->second.parent;
  }
  place.line.push_back(kRoot);
  std::reverse(place.line.begin(), place.line.end());
  if (place.path.empty()) {
    place.path = "/";
  }
  return place;
}

bool HasNoClassesOfPackets(const Host& host, Deadline deadline) {
  bool mounted = false;
  // A controller, the hierarchy that it is in (0: none), and more.
  const auto read = ForEachLine(host.procfs / "cgroups", deadline, [&](std::string_view line) {
    Words words(line);
    const std::string_view controller = words.Next();
    if (controller == "net_cls" || controller == "net_prio") {
      mounted = mounted || ParseNumber<unsigned>(words.Next()) != 0U;
    }
    return Result<void>();
  });
  return read && !mounted;
}

}  // namespace finwait::kernel
