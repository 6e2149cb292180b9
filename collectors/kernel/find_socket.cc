#include "collectors/kernel/find_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <utility>

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

constexpr std::uint8_t kExtensions = kWithTcpInfo | 1U << (INET_DIAG_TOS - 1) | 1U << (INET_DIAG_TCLASS - 1);

netlink::Request RequestFor(const SocketEnds& ends) {
  inet_diag_req_v2 header = {};
  header.sdiag_family = ends.local.address.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  header.sdiag_protocol = IPPROTO_TCP;
  header.idiag_ext = kExtensions;
  header.idiag_states = ~std::uint32_t{0};
  PutEnd(ends.local, header.id.idiag_sport, header.id.idiag_src);
  PutEnd(ends.peer, header.id.idiag_dport, header.id.idiag_dst);
  header.id.idiag_cookie[0] = header.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  netlink::Request request(SOCK_DIAG_BY_FAMILY);
  request.Header(header);
  return request;
}

// A connection and its ends; nothing for a socket that is none.
Result<std::optional<std::pair<SocketEnds, SocketDetails>>> Decode(const netlink::Message& message) {
  const auto record = DecodeSocket(message.payload);
  if (!record) {
    return Failure(record.error());
  }
  if (!*record) {
    return std::nullopt;
  }
  const ClosingSocket& socket = (*record)->closing;
  SocketDetails details{socket.state, socket.uid, socket.orphan, {}, {}, {}, 0};
  if (const auto header = message.Header<inet_diag_msg>()) {
    details.bound_device = header->id.idiag_if;
  }
  const std::uint16_t tos = socket.local.address.Family() == IpFamily::kIpv4 ? INET_DIAG_TOS : INET_DIAG_TCLASS;
  netlink::ForEachAttribute(message.Attributes<inet_diag_msg>(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == INET_DIAG_INFO) {
      details.opened_here = OpenedHere(attribute.Payload());
    } else if (attribute.Type() == INET_DIAG_MARK) {
      details.mark = attribute.U32();
    } else if (attribute.Type() == tos) {
      details.type_of_service = attribute.Read<std::uint8_t>();
    }
  });
  return std::pair(SocketEnds{socket.local, socket.peer}, details);
}

// Where in the answers each of the sockets stands that were not found by their ends.
using Positions = std::map<SocketEnds, std::size_t>;

Result<void> LookInDump(const Host& host, const Positions& positions, Deadline deadline,
                        std::vector<std::optional<SocketDetails>>& found) {
  const std::uint32_t connections = ~(KernelStateBit(TcpState::kListen) | KernelStateBit(TcpState::kTimeWait));
  for (const int family : {AF_INET, AF_INET6}) {  // IPv4-mapped sockets are among IPv6's
    netlink::FunctionSink sink([] {},
                               [&](const netlink::Message& message) -> Result<void> {
                                 auto decoded = Decode(message);
                                 if (!decoded) {
                                   return Failure(decoded.error());
                                 }
                                 const auto place = *decoded ? positions.find((*decoded)->first) : positions.end();
                                 if (place != positions.end()) {
                                   found[place->second] = (*decoded)->second;
                                 }
                                 return {};
                               });
    if (auto dumped = DumpTcpSockets(host, family, connections, kExtensions, deadline, sink); !dumped) {
      return dumped;
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::optional<SocketDetails>>> FindSockets(const Host& host, std::span<const SocketEnds> wanted,
                                                              Deadline deadline) {
  std::vector<std::optional<SocketDetails>> found(wanted.size());
  for (std::size_t from = 0; from < wanted.size(); from += netlink::Channel::kMostAtOnce) {
    auto channel = OpenTcpDiag(host);
    if (!channel) {
      return Failure(channel.error());
    }
    std::vector<netlink::Request> requests;
    for (std::size_t i = from; i < std::min(wanted.size(), from + netlink::Channel::kMostAtOnce); ++i) {
      requests.push_back(RequestFor(wanted[i]));
    }
    std::optional<Error> problem;
    const auto asked = channel->GetEach(requests, "look up a socket", deadline,
                                        [&](std::size_t i, const Result<netlink::Message>& answer) {
                                          if (!answer && answer.error().errno_code != ENOENT) {
                                            problem = answer.error();
                                          }
                                          auto decoded = answer ? Decode(*answer) : std::nullopt;
                                          // A listening socket is what the kernel finds where there is no such
                                          // connection.
                                          if (decoded && *decoded && (*decoded)->first == wanted[from + i]) {
                                            found[from + i] = (*decoded)->second;
                                          }
                                        });
    if (!asked || problem) {
      return Failure(asked ? *problem : asked.error());
    }
  }
  Positions missing;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!found[i]) {
      missing.emplace(wanted[i], i);
    }
  }
  if (!missing.empty()) {
    if (auto looked = LookInDump(host, missing, deadline, found); !looked) {
      return Failure(looked.error());
    }
  }
  return found;
}

Result<std::optional<SocketDetails>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                                Deadline deadline) {
  const SocketEnds ends{local, peer};
  auto found = FindSockets(host, std::span(&ends, 1), deadline);
  if (!found) {
    return Failure(found.error());
  }
  return found->front();
}

}  // namespace finwait::kernel
