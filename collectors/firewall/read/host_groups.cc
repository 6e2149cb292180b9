#include "collectors/firewall/read/host_groups.h"

#include <utility>

namespace finwait::firewall::read {

HostGroups::Programs HostGroups::FindPrograms(const kernel::Host& host, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  if (programs_ != nullptr && SteadyClock::now() - programs_read_at_ < kProgramsLast) {
    return programs_;
  }
  auto read = std::make_shared<const std::vector<kernel::GroupProgram>>(ReadGroupPrograms(host, deadline));
  if (deadline.Passed()) {
    return read;  // perhaps not all of them, and then nobody else's
  }
  programs_ = read;
  programs_read_at_ = SteadyClock::now();
  return read;
}

Result<kernel::ControlGroups::Place> HostGroups::Find(std::uint64_t id, const kernel::Host& host, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  if (tree_ && *tree_) {
    if (auto known = (*tree_)->Find(id)) {
      return known;
    }
  }
  if (!tree_ || SteadyClock::now() - tree_read_at_ >= kTreeLasts) {
    auto read = kernel::ControlGroups::Read(host, deadline);
    if (read || !tree_ || !*tree_) {  // what was read before is better than nothing
      tree_ = std::move(read);
    }
    tree_read_at_ = SteadyClock::now();  // after the walk, which may take as long
  }
  return *tree_ ? (*tree_)->Find(id) : Failure(tree_->error());
}

}  // namespace finwait::firewall::read
