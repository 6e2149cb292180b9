#include "exporter/diagnosis/owner_by_cgroup.h"

#include <algorithm>

namespace finwait::diagnosis {

kernel::namespaces::Owner OwnerByCgroup(const sources::NetworkNamespacesSample* sample,
                                        std::optional<std::uint64_t> number) {
  if (sample == nullptr || sample->cgroups == nullptr || !number) {
    return {};
  }
  const auto& cgroups = sample->cgroups->by_number;
  const auto found = std::ranges::lower_bound(cgroups, *number, {}, &sources::CgroupOfOwner::number);
  return found != cgroups.end() && found->number == *number ? found->owner : kernel::namespaces::Owner{};
}

}  // namespace finwait::diagnosis
