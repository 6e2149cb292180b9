#include "collectors/firewall/read/host_groups.h"

namespace finwait::firewall::read {

HostGroups::Programs HostGroups::FindPrograms(const kernel::Host& host, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  const auto now = SteadyClock::now();
  if (programs_ == nullptr || now - programs_read_at_ >= kProgramsLast) {
    programs_ = std::make_shared<const std::vector<kernel::GroupProgram>>(ReadGroupPrograms(host, deadline));
    programs_read_at_ = now;
  }
  return programs_;
}

Result<kernel::ControlGroups::Place> HostGroups::Find(std::uint64_t id, const kernel::Host& host, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  const auto now = SteadyClock::now();
  if (tree_ && *tree_) {
    auto known = (*tree_)->Find(id);
    if (known || now - tree_read_at_ < kTreeLasts) {
      return known;
    }
  }
  if (!tree_ || now - tree_read_at_ >= kTreeLasts) {
    tree_ = kernel::ControlGroups::Read(host, deadline);
    tree_read_at_ = now;
  }
  return *tree_ ? (*tree_)->Find(id) : Failure(tree_->error());
}

}  // namespace finwait::firewall::read
