#pragma once

#include <optional>
#include <span>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/transport.h"

namespace finwait::kernel::netlink {

/// Receives one datagram that is waiting at the non-blocking netlink `socket` into `buffer`; nothing when none is. The
/// only place in this program that receives from netlink.
Result<std::optional<Datagram>> ReceiveWaiting(int socket, std::span<std::byte> buffer);

}  // namespace finwait::kernel::netlink
