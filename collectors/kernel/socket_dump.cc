#include "collectors/kernel/socket_dump.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace finwait::kernel {

Result<netlink::Channel> OpenTcpDiag(const Host& host) {
  if (auto present = RequireFeature(host, kTcpDiag, "TCP sockets"); !present) {
    return Failure(present.error());
  }
  return host.open_channel(NETLINK_SOCK_DIAG);
}

Result<void> DumpTcpSockets(const Host& host, int family, std::uint32_t states, std::uint8_t extensions,
                            Deadline deadline, netlink::MessageSink& sink) {
  auto channel = OpenTcpDiag(host);
  if (!channel) {
    return Failure(channel.error());
  }
  inet_diag_req_v2 header = {};
  header.sdiag_family = static_cast<std::uint8_t>(family);
  header.sdiag_protocol = IPPROTO_TCP;
  header.idiag_ext = extensions;
  header.idiag_states = states;
  const auto dumped =
      channel->Dump(netlink::Request(SOCK_DIAG_BY_FAMILY).Header(header), "read sockets", deadline, sink);
  if (!dumped && !(dumped.error().errno_code == ENOENT && family == AF_INET6)) {
    return Failure(dumped.error());
  }
  return {};
}

}  // namespace finwait::kernel
