#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/control_groups.h"
#include "collectors/kernel/group_programs.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// The host's control groups and their BPF programs: one for all of its network namespaces, as to walk through the tree
/// costs more than all else that is asked of one. Thread-safe; who comes while it is read waits.
class HostGroups {
 public:
  /// For so long what was read of programs counts.
  static constexpr std::chrono::seconds kProgramsLast{60};
  /// A group that is not in the tree as it was read is looked for again after that.
  static constexpr std::chrono::seconds kTreeLasts{1};

  using Programs = std::shared_ptr<const std::vector<kernel::GroupProgram>>;

  /// kernel::ReadGroupPrograms().
  Programs FindPrograms(const kernel::Host& host, Deadline deadline);
  /// kernel::ControlGroups::Find().
  Result<kernel::ControlGroups::Place> Find(std::uint64_t id, const kernel::Host& host, Deadline deadline);

 private:
  std::mutex mutex_;
  Programs programs_;
  SteadyClock::time_point programs_read_at_;
  std::optional<Result<kernel::ControlGroups>> tree_;
  SteadyClock::time_point tree_read_at_;
};

}  // namespace finwait::firewall::read
