#pragma once

#include <chrono>
#include <cstdint>

#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// The longest time between two tries (TCP_RTO_MAX), where net.ipv4.tcp_rto_max_ms (Linux 6.15) says nothing else.
inline constexpr std::chrono::milliseconds kLongestWait{120'000};

/// The least time that `tries` without an answer have taken, as the time between them doubles up to `longest`.
/// `timeout` is the retransmission timeout as the socket has it now.
std::chrono::milliseconds MinimumAgeOf(SocketTimer timer, std::uint32_t tries, std::chrono::microseconds timeout,
                                       std::chrono::milliseconds longest = kLongestWait);

}  // namespace finwait::kernel
