#pragma once

#include <compare>
#include <cstdint>
#include <memory>

#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/tcp_socket.h"
#include "collectors/sources/network_namespaces.h"

namespace finwait::diagnosis {

/// By what it can be told whose a socket is.
struct SocketHolder {
  std::uint64_t network_namespace = 0;  ///< sources::OtherNamespace::id; 0: this host's own
  std::uint64_t cgroup = 0;             ///< TcpSocket::cgroup_id; 0: not told
  auto operator<=>(const SocketHolder&) const = default;
};

inline SocketHolder HolderOf(const kernel::TcpSocket& socket, std::uint64_t network_namespace) {
  return {network_namespace, socket.cgroup_id.value_or(0)};
}

/// The owner: of the cgroup where that is known, as a namespace may be several containers'; else of the namespace. Null
/// where nobody knows it. `sample` may be null.
std::shared_ptr<const kernel::namespaces::Owner> OwnerOf(const sources::NetworkNamespacesSample* sample,
                                                         const SocketHolder& holder);

}  // namespace finwait::diagnosis
