#include "collectors/kernel/live_socket_dump.h"

#include <sys/socket.h>

#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_record.h"

namespace finwait::kernel {

Result<LiveSocketList> ReadLiveSockets(const Host& host, Deadline deadline) {
  std::uint32_t states = 0;
  for (const TcpState state :
       {TcpState::kEstablished, TcpState::kCloseWait, TcpState::kFinWait1, TcpState::kClosing, TcpState::kLastAck}) {
    states |= KernelStateBit(state);
  }
  LiveSocketList live;
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t before = live.Size();
    netlink::FunctionSink sink([&] { live.Shorten(before); },
                               [&](const netlink::Message& message) -> Result<void> {
                                 const auto record = DecodeSocket(message.payload);
                                 if (!record) {
                                   return Failure(record.error());
                                 }
                                 if (!*record) {
                                   return {};
                                 }
                                 const ClosingSocket& socket = (*record)->closing;
                                 LiveSocket added;
                                 added.cookie = socket.cookie;
                                 added.local = socket.local;
                                 added.peer = socket.peer;
                                 added.state = socket.state;
                                 added.uid = socket.uid;
                                 if (socket.timer == SocketTimer::kKeepalive) {
                                   added.keepalive_due = socket.timer_expires;
                                 }
                                 live.Add(added);
                                 return {};
                               });
    if (auto dumped = DumpTcpSockets(host, family, states, 0, deadline, sink); !dumped) {
      return Failure(dumped.error());
    }
  }
  return live;
}

}  // namespace finwait::kernel
