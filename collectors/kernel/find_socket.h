#pragma once

#include <optional>
#include <span>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// The two ends of a connection, the local one first.
struct SocketEnds {
  Endpoint local;
  Endpoint peer;
  auto operator<=>(const SocketEnds&) const = default;
};

/// Asks the kernel for connections by their ends (inet_diag, with tcp_info and the type of service), many with one
/// send. One answer for each, in order; nothing where there is no such socket in this namespace. One that is bound to a
/// device is found only by its device, and so the sockets that were not found at once are looked for in a dump of all.
/// Needs no capability.
Result<std::vector<std::optional<TcpSocket>>> FindSockets(const Host& host, std::span<const SocketEnds> wanted,
                                                          Deadline deadline);
Result<std::optional<TcpSocket>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                            Deadline deadline);

}  // namespace finwait::kernel
