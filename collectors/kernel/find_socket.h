#pragma once

#include <optional>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// Asks the kernel for the connection between `local` and `peer` (inet_diag, one socket, with tcp_info and the type of
/// service). Nothing where there is no such socket in this namespace, or it is bound to a device. Needs no capability.
Result<std::optional<TcpSocket>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                            Deadline deadline);

}  // namespace finwait::kernel
