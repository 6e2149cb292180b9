#pragma once

#include <compare>
#include <cstdint>

#include "collectors/kernel/tcp_socket.h"
#include "exporter/diagnosis/socket_holder.h"

namespace finwait::diagnosis {

/// What connections are told apart by where idle times are summed up: the port of the service, and who holds this end.
struct IdleService {
  std::uint16_t port = 0;
  bool at_peer = false;  ///< the port is the peer's: this end opened the connection; else it is this host's
  SocketHolder holder;
  auto operator<=>(const IdleService&) const = default;
};

/// `network_namespace`: sources::OtherNamespace::id; 0: this host's own.
inline IdleService IdleServiceOf(const kernel::TcpSocket& socket, std::uint64_t network_namespace) {
  // Who opened a connection went to a port that is known; where that cannot be told, the lower one is.
  const bool at_peer = socket.opened_here.value_or(socket.peer.port < socket.local.port);
  return {at_peer ? socket.peer.port : socket.local.port, at_peer, HolderOf(socket, network_namespace)};
}

}  // namespace finwait::diagnosis
