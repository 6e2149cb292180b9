#include "collectors/kernel/find_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "collectors/kernel/decode_socket.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/socket_dump.h"

namespace finwait::kernel {
namespace {

void PutEnd(const Endpoint& end, __be16& port, __be32 (&address)[4]) {
  port = htons(end.port);
  std::memcpy(address, end.address.Bytes().data(), end.address.Bytes().size());
}

}  // namespace

Result<std::optional<TcpSocket>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                            Deadline deadline) {
  auto channel = OpenTcpDiag(host);
  if (!channel) {
    return Failure(channel.error());
  }
  inet_diag_req_v2 header = {};
  header.sdiag_family = local.address.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  header.sdiag_protocol = IPPROTO_TCP;
  header.idiag_ext = kWithTcpInfo | kWithTypeOfService;
  header.idiag_states = ~std::uint32_t{0};
  PutEnd(local, header.id.idiag_sport, header.id.idiag_src);
  PutEnd(peer, header.id.idiag_dport, header.id.idiag_dst);
  header.id.idiag_cookie[0] = header.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  std::optional<TcpSocket> found;
  const auto asked = channel->Get(netlink::Request(SOCK_DIAG_BY_FAMILY).Header(header), "look up a socket", deadline,
                                  [&](const netlink::Message& message) -> Result<void> {
                                    auto socket = DecodeSocket(message.payload);
                                    if (!socket) {
                                      return Failure(socket.error());
                                    }
                                    // Where there is no such connection the kernel answers with a listening socket.
                                    if (*socket && (*socket)->local == local && (*socket)->peer == peer) {
                                      found = std::move(*socket);
                                    }
                                    return {};
                                  });
  if (!asked && asked.error().errno_code != ENOENT) {
    return Failure(asked.error());
  }
  return found;
}

}  // namespace finwait::kernel
