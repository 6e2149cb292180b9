#pragma once

#include <chrono>
#include <optional>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/attributes.h"
#include "collectors/kernel/retry_age.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// Decodes an inet_diag_msg with its attributes. Nothing for a socket that is no connection; an error when malformed.
/// `longest_wait` is what the namespace allows between two tries.
Result<std::optional<TcpSocket>> DecodeSocket(netlink::Bytes message,
                                              std::chrono::milliseconds longest_wait = kLongestWait);

}  // namespace finwait::kernel
