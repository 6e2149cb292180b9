#include "exporter/diagnosis/socket_holder.h"

#include <utility>

#include "exporter/diagnosis/owner_by_cgroup.h"

namespace finwait::diagnosis {

std::shared_ptr<const kernel::namespaces::Owner> OwnerOf(const sources::NetworkNamespacesSample* sample,
                                                         const SocketHolder& holder) {
  kernel::namespaces::Owner owner = OwnerByCgroup(sample, holder.cgroup);
  if (owner.kind != kernel::namespaces::OwnerKind::kOther) {
    return std::make_shared<const kernel::namespaces::Owner>(std::move(owner));
  }
  return sample != nullptr && holder.network_namespace != 0 ? sample->OwnerOf(holder.network_namespace) : nullptr;
}

}  // namespace finwait::diagnosis
