#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel {

/// Sockets by state (TcpState).
using SocketCounts = std::array<std::uint64_t, kTcpStateCount>;

/// What one walk over the TCP sockets of a namespace counts. Only the states asked for are filled.
struct SocketTally {
  PerFamily<SocketCounts> by_family = {};
  SocketCounts orphans = {};  ///< those that no process holds
};

/// The states of a connection whose FIN is on its way or acknowledged: FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK.
std::uint32_t ClosingStates();
/// Every state of the kernel's but TCP_BOUND_INACTIVE, whose walk takes the whole bind table and finds no connection.
inline constexpr std::uint32_t kAllSocketStates = 0x1fff;

/// Whether this end has something left to do: ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK.
bool IsUnfinished(TcpState state);

/// What takes the unfinished sockets of a pass.
struct SocketConsumer {
  std::function<void(const TcpSocket&)> add;
  std::function<std::size_t()> size;         ///< how many it holds
  std::function<void(std::size_t)> shorten;  ///< leaves the first so many, as a torn dump starts again
};
/// Puts them into `table`, which must outlive the pass.
SocketConsumer Into(SocketTable& table);
/// Puts the first `most` of them into `sockets`, which must outlive the pass.
SocketConsumer Into(std::vector<TcpSocket>& sockets, std::size_t most);
/// Takes none: for a pass that only counts.
SocketConsumer IntoNothing();

/// Walks the TCP sockets of both address families once, in the states of `states` (see KernelStateBit), asking for
/// `extensions` (see socket_dump.h). Counts them all and gives those that are IsUnfinished() to `unfinished`. Needs no
/// capability.
Result<SocketTally> ReadSockets(const Host& host, std::uint32_t states, std::uint8_t extensions, Deadline deadline,
                                const SocketConsumer& unfinished);

}  // namespace finwait::kernel
