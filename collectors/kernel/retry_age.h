#pragma once

#include <chrono>
#include <cstdint>

#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// The least time that `tries` without an answer have taken, as the time between them doubles. `timeout` is the
/// retransmission timeout as the socket has it now.
std::chrono::milliseconds MinimumAgeOf(SocketTimer timer, std::uint32_t tries, std::chrono::microseconds timeout);

}  // namespace finwait::kernel
