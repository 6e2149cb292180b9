#pragma once

#include <optional>
#include <span>

#include "collectors/netlink/transport.h"
#include "collectors/result.h"

namespace finwait::netlink {

/// Receives one datagram that is waiting at the non-blocking netlink `socket` into `buffer`; nothing when none is. The
/// only place in this program that receives from netlink.
Result<std::optional<Datagram>> ReceiveWaiting(int socket, std::span<std::byte> buffer);

}  // namespace finwait::netlink
