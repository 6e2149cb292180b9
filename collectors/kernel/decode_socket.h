#pragma once

#include <optional>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/attributes.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// Decodes an inet_diag_msg with its attributes. Nothing for a socket that is no connection; an error when malformed.
Result<std::optional<TcpSocket>> DecodeSocket(netlink::Bytes message);

}  // namespace finwait::kernel
