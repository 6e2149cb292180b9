#pragma once

#include <compare>
#include <cstdint>

#include "collectors/kernel/tcp_socket.h"

namespace finwait::diagnosis {

/// What connections are told apart by where idle times are summed up: the port of the service, and who holds this end.
struct IdleService {
  std::uint16_t port = 0;
  bool at_peer = false;  ///< the port is the peer's: this end opened the connection; else it is this host's
  /// A cgroup of this host's (TcpSocket::cgroup_id; 0: not told), or sources::OtherNamespace::id where `elsewhere`.
  std::uint64_t holder = 0;
  bool elsewhere = false;
  auto operator<=>(const IdleService&) const = default;
};

/// `network_namespace`: sources::OtherNamespace::id; 0: this host's own.
inline IdleService IdleServiceOf(const kernel::TcpSocket& socket, std::uint64_t network_namespace) {
  // Who opened a connection went to a port that is known; where that cannot be told, the lower one is.
  const bool at_peer = socket.opened_here.value_or(socket.peer.port < socket.local.port);
  return {at_peer ? socket.peer.port : socket.local.port, at_peer,
          network_namespace != 0 ? network_namespace : socket.cgroup_id.value_or(0), network_namespace != 0};
}

}  // namespace finwait::diagnosis
