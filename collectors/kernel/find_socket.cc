#include "collectors/kernel/find_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <utility>

#include "collectors/kernel/decode_socket.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/socket_dump.h"

namespace finwait::kernel {
namespace {

void PutEnd(const Endpoint& end, __be16& port, __be32 (&address)[4]) {
  port = htons(end.port);
  std::memcpy(address, end.address.Bytes().data(), end.address.Bytes().size());
}

constexpr std::uint8_t kExtensions = kWithTcpInfo | kWithTypeOfService;

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

Result<std::optional<FoundSocket>> DecodeFound(netlink::Bytes message) {
  auto socket = DecodeSocket(message);
  if (!socket) {
    return Failure(socket.error());
  }
  if (!*socket) {
    return std::nullopt;
  }
  FoundSocket found{std::move(**socket), {}, {}, {}};
  netlink::AttributeReader reader(
      message.subspan(std::min(message.size(), std::size_t{NLMSG_ALIGN(sizeof(inet_diag_msg))})));
  bool has_keys = false;
  while (reader.Next()) {
    const netlink::Attribute attribute(reader.Type(), reader.Payload());
    if (reader.Type() == INET_DIAG_INFO && reader.Payload().size() > offsetof(tcp_info, tcpi_options)) {
      const auto options = std::to_integer<unsigned>(reader.Payload()[offsetof(tcp_info, tcpi_options)]);
      found.timestamps = (options & TCPI_OPT_TIMESTAMPS) != 0;
    } else if (reader.Type() == INET_DIAG_SOCKOPT) {
      if (const auto options = attribute.Read<inet_diag_sockopt>()) {
        found.transparent = options->transparent != 0;
      }
    } else if (reader.Type() == INET_DIAG_CLASS_ID) {
      found.class_or_priority = reader.U32();
    } else if (reader.Type() == INET_DIAG_MD5SIG) {
      has_keys = true;
    }
  }
  if (has_keys) {
    found.timestamps.reset();  // whether a key is this peer's, and its packets carry a signature, is not looked into
  }
  return found;
}

// Where in the answers each of the sockets stands that were not found by their ends.
using Positions = std::map<SocketEnds, std::size_t>;

Result<void> LookInDump(const Host& host, const Positions& positions, Deadline deadline,
                        std::vector<std::optional<FoundSocket>>& found) {
  const std::uint32_t connections = ~(KernelStateBit(TcpState::kListen) | KernelStateBit(TcpState::kTimeWait));
  for (const int family : {AF_INET, AF_INET6}) {  // IPv4-mapped sockets are among IPv6's
    netlink::FunctionSink sink(
        [] {},
        [&](const netlink::Message& message) -> Result<void> {
          auto socket = DecodeFound(message.payload);
          if (!socket) {
            return Failure(socket.error());
          }
          const auto place = *socket ? positions.find({(*socket)->local, (*socket)->peer}) : positions.end();
          if (place != positions.end()) {
            found[place->second] = std::move(*socket);
          }
          return {};
        });
    if (auto dumped = DumpTcpSockets(host, family, connections, kExtensions, deadline, sink); !dumped) {
      return dumped;
    }
  }
  return {};
}

// Asks for each by its ends.
Result<void> AskForEach(const Host& host, std::span<const SocketEnds> wanted, Deadline deadline,
                        std::vector<std::optional<FoundSocket>>& found) {
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
    const auto asked = channel->GetEach(
        requests, "look up a socket", deadline, [&](std::size_t i, const Result<netlink::Message>& answer) {
          if (!answer && answer.error().errno_code != ENOENT) {
            problem = answer.error();
          }
          if (!answer) {
            return;
          }
          auto socket = DecodeFound(answer->payload);
          // A listening socket is what the kernel finds where there is no such
          // connection.
          if (socket && *socket && SocketEnds{(*socket)->local, (*socket)->peer} == wanted[from + i]) {
            found[from + i] = std::move(*socket);
          }
        });
    if (!asked || problem) {
      return Failure(asked ? *problem : asked.error());
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::optional<FoundSocket>>> FindSockets(const Host& host, std::span<const SocketEnds> wanted,
                                                            Deadline deadline) {
  std::vector<std::optional<FoundSocket>> found(wanted.size());
  // Of other namespaces only dumps can be asked for: then all are looked for in one.
  if (auto asked = AskForEach(host, wanted, deadline, found);
      !asked && asked.error().reason != FailureReason::kUnsupported) {
    return Failure(asked.error());
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

Result<std::optional<FoundSocket>> FindSocket(const Host& host, const Endpoint& local, const Endpoint& peer,
                                              Deadline deadline) {
  const SocketEnds ends{local, peer};
  auto found = FindSockets(host, std::span(&ends, 1), deadline);
  if (!found) {
    return Failure(found.error());
  }
  return found->front();
}

}  // namespace finwait::kernel
