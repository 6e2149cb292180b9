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

/// A socket with what is told of it only where one is asked for.
struct FoundSocket : TcpSocket {
  std::optional<bool> timestamps;   ///< TCP timestamps were agreed on (TCPI_OPT_TIMESTAMPS); absent
                                    ///< also where TCP_MD5SIG gives packets another length
  std::optional<bool> transparent;  ///< IP_TRANSPARENT (INET_DIAG_SOCKOPT, Linux 5.14)
  /// Its class of net_cls or, where it has none, its priority (INET_DIAG_CLASS_ID); told only to who has CAP_NET_ADMIN.
  std::optional<std::uint32_t> class_or_priority;
};

/// Asks the kernel for connections by their ends (inet_diag, with tcp_info and the type of service), many with one
/// send. One answer for each, in order; nothing where there is no such socket in this namespace. One that is bound to a
/// device is found only by its device, and so the sockets that were not found at once are looked for in a dump of all.
/// So are all of a namespace that is entered, where the kernel can be asked for a dump alone (kUnsupported else).
/// Needs no capability.
Result<std::vector<std::optional<FoundSocket>>> FindSockets(const Host& host, std::span<const SocketEnds> wanted,
                                                            Deadline deadline);
Result<std::optional<FoundSocket>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                              Deadline deadline);

}  // namespace finwait::kernel
