#pragma once

#include <cstdint>
#include <optional>

#include "collectors/kernel/namespaces/owner.h"
#include "collectors/sources/network_namespaces.h"

namespace finwait::diagnosis {

/// The owner of a cgroup of this host, by TcpSocket::cgroup_id; other where nobody knows it: cgroup v1 has number 1 for
/// every socket. `sample` may be null.
kernel::namespaces::Owner OwnerByCgroup(const sources::NetworkNamespacesSample* sample,
                                        std::optional<std::uint64_t> number);

}  // namespace finwait::diagnosis
