#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/tcp_state.h"

namespace finwait::kernel {

/// One TCP socket that was asked for by its two ends.
struct SocketDetails {
  TcpState state = TcpState::kEstablished;
  std::uint32_t uid = 0;                        ///< owner; 0 for an orphan too
  bool orphan = false;                          ///< no process holds it
  std::optional<std::uint32_t> mark;            ///< SO_MARK; told only to who has CAP_NET_ADMIN
  std::optional<std::uint8_t> type_of_service;  ///< IP_TOS or IPV6_TCLASS, whichever its packets carry
  /// Whether this end opened the connection. A SYN counts as one acknowledged byte (tcpi_bytes_acked) on the side that
  /// sent it first, and only there; nothing while sent bytes are unacknowledged, or on a kernel that does not count
  /// both (before Linux 4.19).
  std::optional<bool> opened_here;
  std::uint32_t bound_device = 0;  ///< index of the device that it is bound to (idiag_if); 0: none
};

/// The two ends of a connection, the local one first.
struct SocketEnds {
  Endpoint local;
  Endpoint peer;
  auto operator<=>(const SocketEnds&) const = default;
};

/// Asks the kernel for connections by their ends (inet_diag), many with one send. One answer for each, in order;
/// nothing where there is no such socket in this namespace. One that is bound to a device is found only by its device,
/// and so the sockets that were not found at once are looked for in a dump of all. Needs no capability.
Result<std::vector<std::optional<SocketDetails>>> FindSockets(const Host& host, std::span<const SocketEnds> wanted,
                                                              Deadline deadline);
Result<std::optional<SocketDetails>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                                Deadline deadline);

}  // namespace finwait::kernel
