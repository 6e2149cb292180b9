#include "collectors/kernel/neighbours.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

namespace finwait::kernel {
namespace {

// Those whose address the kernel itself would send to (NUD_VALID), but what needs none (NUD_NOARP): loopback,
// multicast.
constexpr std::uint16_t kKnown = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

void Take(const netlink::Message& message, Neighbours& neighbours) {
  const auto header = message.Header<ndmsg>();
  if (!header || header->ndm_ifindex <= 0 || (header->ndm_state & kKnown) == 0 ||
      (header->ndm_flags & NTF_PROXY) != 0) {
    return;
  }
  std::optional<IpAddress> address;
  std::optional<std::array<std::uint8_t, 6>> hardware;
  netlink::ForEachAttribute(message.Attributes<ndmsg>(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == NDA_DST) {
      address = IpAddress::FromBytes(attribute.Payload());
    } else if (attribute.Type() == NDA_LLADDR) {
      hardware = attribute.Read<std::array<std::uint8_t, 6>>();
    }
  });
  if (address && hardware) {
    neighbours[{static_cast<std::uint32_t>(header->ndm_ifindex), *address}] = *hardware;
  }
}

}  // namespace

Result<Neighbours> ReadNeighbours(const Host& host, IpFamily family, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  Neighbours neighbours;
  ndmsg header = {};
  header.ndm_family = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  netlink::FunctionSink sink([&] { neighbours.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               Take(message, neighbours);
                               return {};
                             });
  auto dumped =
      channel->Dump(netlink::Request(RTM_GETNEIGH).Header(header), "list the neighbours of this host", deadline, sink);
  if (!dumped) {
    return Failure(dumped.error());
  }
  return neighbours;
}

}  // namespace finwait::kernel
