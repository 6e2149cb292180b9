#include "collectors/kernel/socket_pass.h"

#include <sys/socket.h>

#include "collectors/kernel/decode_socket.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/retry_age.h"
#include "collectors/kernel/socket_dump.h"

namespace finwait::kernel {
namespace {

// What net.ipv4.tcp_rto_max_ms says, which a socket takes over when it is made; older kernels do not have it.
std::chrono::milliseconds LongestWait(const Host& host) {
  const auto set =
      ReadProcfsUnsigned(host.procfs / "sys/net/ipv4/tcp_rto_max_ms", static_cast<std::uint64_t>(kLongestWait.count()));
  return set ? std::chrono::milliseconds(*set) : kLongestWait;
}

}  // namespace

std::uint32_t ClosingStates() {
  return KernelStateBit(TcpState::kFinWait1) | KernelStateBit(TcpState::kFinWait2) |
         KernelStateBit(TcpState::kClosing) | KernelStateBit(TcpState::kLastAck);
}

bool IsUnfinished(TcpState state) {
  switch (state) {
    case TcpState::kEstablished:
    case TcpState::kCloseWait:
    case TcpState::kFinWait1:
    case TcpState::kClosing:
    case TcpState::kLastAck:
      return true;
    case TcpState::kListen:
    case TcpState::kSynSent:
    case TcpState::kSynReceived:
    case TcpState::kFinWait2:  // the FIN was acknowledged: nothing can be stuck any more
    case TcpState::kTimeWait:
      return false;
  }
  return false;
}

SocketConsumer Into(SocketTable& table) {
  return {[&table](const TcpSocket& socket) { table.Add(socket); }, [&table] { return table.Size(); },
          [&table](std::size_t size) { table.Shorten(size); }};
}

SocketConsumer Into(std::vector<TcpSocket>& sockets, std::size_t most) {
  return {[&sockets, most](const TcpSocket& socket) {
            if (sockets.size() < most) {
              sockets.push_back(socket);
            }
          },
          [&sockets] { return sockets.size(); }, [&sockets](std::size_t size) { sockets.resize(size); }};
}

SocketConsumer IntoNothing() {
  return {[](const TcpSocket&) {}, [] { return std::size_t{0}; }, [](std::size_t) {}};
}

Result<SocketTally> ReadSockets(const Host& host, std::uint32_t states, std::uint8_t extensions, Deadline deadline,
                                const SocketConsumer& unfinished) {
  SocketTally tally;
  const std::chrono::milliseconds longest_wait = LongestWait(host);
  for (const int family : {AF_INET, AF_INET6}) {
    const SocketTally tally_before = tally;
    const std::size_t size_before = unfinished.size();
    netlink::FunctionSink sink(
        [&] {
          tally = tally_before;
          unfinished.shorten(size_before);
        },
        [&](const netlink::Message& message) -> Result<void> {
          const auto socket = DecodeSocket(message.payload, longest_wait);
          if (!socket) {
            return Failure(socket.error());
          }
          if (!*socket) {
            return {};
          }
          const auto state = static_cast<std::size_t>((*socket)->state);
          ++tally.by_family[static_cast<std::size_t>((*socket)->local.address.Family())][state];
          tally.orphans[state] += (*socket)->orphan ? 1 : 0;
          if (IsUnfinished((*socket)->state)) {
            unfinished.add(**socket);
          }
          return {};
        });
    if (auto dumped = DumpTcpSockets(host, family, states, extensions, deadline, sink); !dumped) {
      return Failure(dumped.error());
    }
  }
  return tally;
}

}  // namespace finwait::kernel
