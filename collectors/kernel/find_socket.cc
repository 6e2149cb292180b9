#include "collectors/kernel/find_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_record.h"

namespace finwait::kernel {
namespace {

template <typename T>
std::optional<T> Field(netlink::Bytes info, std::size_t offset) {
  return info.size() < offset + sizeof(T) ? std::nullopt : netlink::Attribute(0, info.subspan(offset)).Read<T>();
}

std::optional<bool> OpenedHere(netlink::Bytes info) {
  const auto acknowledged = Field<std::uint64_t>(info, offsetof(tcp_info, tcpi_bytes_acked));
  const auto sent = Field<std::uint64_t>(info, offsetof(tcp_info, tcpi_bytes_sent));
  const auto sent_again = Field<std::uint64_t>(info, offsetof(tcp_info, tcpi_bytes_retrans));
  const auto on_the_way = Field<std::uint32_t>(info, offsetof(tcp_info, tcpi_unacked));
  if (!acknowledged || !sent || !sent_again || on_the_way != 0U) {
    return std::nullopt;
  }
  const std::uint64_t beyond_data = *acknowledged - (*sent - *sent_again);
  return beyond_data <= 1 ? std::optional(beyond_data == 1) : std::nullopt;
}

void PutEnd(const Endpoint& end, __be16& port, __be32 (&address)[4]) {
  port = htons(end.port);
  std::memcpy(address, end.address.Bytes().data(), end.address.Bytes().size());
}

}  // namespace

Result<std::optional<SocketDetails>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                                Deadline deadline) {
  auto channel = OpenTcpDiag(host);
  if (!channel) {
    return Failure(channel.error());
  }
  inet_diag_req_v2 header = {};
  header.sdiag_family = local.address.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  header.sdiag_protocol = IPPROTO_TCP;
  header.idiag_ext = kWithTcpInfo | 1U << (INET_DIAG_TOS - 1) | 1U << (INET_DIAG_TCLASS - 1);
  header.idiag_states = ~std::uint32_t{0};
  PutEnd(local, header.id.idiag_sport, header.id.idiag_src);
  PutEnd(peer, header.id.idiag_dport, header.id.idiag_dst);
  header.id.idiag_cookie[0] = header.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  std::optional<SocketDetails> found;
  const auto asked = channel->Get(
      netlink::Request(SOCK_DIAG_BY_FAMILY).Header(header), "look up a socket", deadline,
      [&](const netlink::Message& message) -> Result<void> {
        const auto record = DecodeSocket(message.payload);
        if (!record) {
          return Failure(record.error());
        }
        // A listening socket is what the kernel finds where there is no such connection.
        if (!*record || (*record)->closing.local != local || (*record)->closing.peer != peer) {
          return {};
        }
        const ClosingSocket& socket = (*record)->closing;
        found = SocketDetails{socket.state, socket.uid, socket.orphan, {}, {}, {}};
        const std::uint16_t tos = local.address.Family() == IpFamily::kIpv4 ? INET_DIAG_TOS : INET_DIAG_TCLASS;
        netlink::ForEachAttribute(message.Attributes<inet_diag_msg>(), [&](const netlink::Attribute& attribute) {
          if (attribute.Type() == INET_DIAG_INFO) {
            found->opened_here = OpenedHere(attribute.Payload());
          } else if (attribute.Type() == INET_DIAG_MARK) {
            found->mark = attribute.U32();
          } else if (attribute.Type() == tos) {
            found->type_of_service = attribute.Read<std::uint8_t>();
          }
        });
        return {};
      });
  if (!asked && asked.error().errno_code != ENOENT) {
    return Failure(asked.error());
  }
  return found;
}

}  // namespace finwait::kernel
