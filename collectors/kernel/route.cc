#include "collectors/kernel/route.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace finwait::kernel {
namespace {

// IFLA_LINKINFO holds the kind of those devices that have one.
std::string KindOf(const netlink::Attribute& link_info) {
  std::string kind;
  netlink::ForEachAttribute(link_info.Payload(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == IFLA_INFO_KIND) {
      kind = attribute.Text();
    }
  });
  return kind;
}

Result<void> DescribeInterface(const Host& host, Deadline deadline, Route& route) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  ifinfomsg header = {};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(route.interface_index);
  return channel->Get(netlink::Request(RTM_GETLINK).Header(header), "look up a network device", deadline,
                      [&](const netlink::Message& message) -> Result<void> {
                        if (const auto link = message.Header<ifinfomsg>()) {
                          route.interface_type = link->ifi_type;
                        }
                        netlink::ForEachAttribute(message.Attributes<ifinfomsg>(),
                                                  [&](const netlink::Attribute& attribute) {
                                                    if (attribute.Type() == IFLA_IFNAME) {
                                                      route.interface_name = attribute.Text();
                                                    } else if (attribute.Type() == IFLA_GROUP) {
                                                      route.interface_group = attribute.U32().value_or(0);
                                                    } else if (attribute.Type() == IFLA_LINKINFO) {
                                                      route.interface_kind = KindOf(attribute);
                                                    }
                                                  });
                        return {};
                      });
}

// An address of a device, in the order of the kernel's list.
struct DeviceAddress {
  IpAddress address;
  unsigned prefix_length = 0;
  unsigned flags = 0;  // IFA_F_*
  unsigned scope = 0;  // RT_SCOPE_*
};

std::optional<DeviceAddress> DecodeAddress(const netlink::Message& message, std::uint32_t device) {
  const auto header = message.Header<ifaddrmsg>();
  if (!header || header->ifa_index != device) {
    return std::nullopt;
  }
  DeviceAddress found;
  found.prefix_length = header->ifa_prefixlen;
  found.flags = header->ifa_flags;
  found.scope = header->ifa_scope;
  std::optional<IpAddress> address;
  std::optional<IpAddress> local;
  netlink::ForEachAttribute(message.Attributes<ifaddrmsg>(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == IFA_LOCAL) {
      local = IpAddress::FromBytes(attribute.Payload());
    } else if (attribute.Type() == IFA_ADDRESS) {
      address = IpAddress::FromBytes(attribute.Payload());
    } else if (attribute.Type() == IFA_FLAGS) {
      found.flags = attribute.U32().value_or(found.flags);
    }
  });
  local = local ? local : address;
  if (!local) {
    return std::nullopt;
  }
  found.address = *local;
  return found;
}

bool InPrefix(const IpAddress& address, const DeviceAddress& network) {
  for (unsigned bit = 0; bit < network.prefix_length && bit < 8 * address.Bytes().size(); ++bit) {
    const std::byte mask{static_cast<std::uint8_t>(0x80U >> (bit % 8))};
    if (((address.Bytes()[bit / 8] ^ network.address.Bytes()[bit / 8]) & mask) != std::byte{0}) {
      return false;
    }
  }
  return true;
}

// inet_select_addr(device, nexthop, RT_SCOPE_UNIVERSE): the first primary address whose network the next hop is in, or
// else the first.
std::optional<IpAddress> SelectIpv4(const std::vector<DeviceAddress>& addresses, const IpAddress& next_hop) {
  std::optional<IpAddress> first;
  for (const DeviceAddress& each : addresses) {
    if ((each.flags & IFA_F_SECONDARY) != 0 || each.scope != RT_SCOPE_UNIVERSE) {
      continue;
    }
    if (InPrefix(next_hop, each)) {
      return each.address;
    }
    first = first ? first : std::optional(each.address);
  }
  return first;
}

unsigned CommonPrefix(const IpAddress& left, const IpAddress& right) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < left.Bytes().size(); ++i) {
    const auto difference = std::to_integer<std::uint8_t>(left.Bytes()[i] ^ right.Bytes()[i]);
    bits += static_cast<unsigned>(std::countl_zero(difference));
    if (difference != 0) {
      break;
    }
  }
  return bits;
}

// Ordinary global unicast: 2000::/3 without the ranges that have a label of their own in the kernel's table (2002::/16
// and 2001::/28 to the left of 2001:db8::/32).
bool IsPlainGlobal(const IpAddress& address) {
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(address.Bytes()[i]); };
  const bool teredo_or_orchid = byte(0) == 0x20 && byte(1) == 0x01 && byte(2) == 0 && byte(3) < 0x20;
  return (byte(0) & 0xe0) == 0x20 && !(byte(0) == 0x20 && byte(1) == 0x02) && !teredo_or_orchid;
}

// ipv6_dev_get_saddr() among the addresses of the device: of ordinary addresses the one with the longest prefix in
// common with the destination, as far as its own network reaches, and of equals the first. Nothing where the other
// rules of RFC 6724 would have to choose.
std::optional<IpAddress> SelectIpv6(const std::vector<DeviceAddress>& addresses, const IpAddress& destination) {
  constexpr unsigned kOutOfTheOrdinary =
      IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED | IFA_F_HOMEADDRESS;
  std::optional<IpAddress> best;
  unsigned longest = 0;
  for (const DeviceAddress& each : addresses) {
    if (each.scope != RT_SCOPE_UNIVERSE) {
      continue;
    }
    if ((each.flags & kOutOfTheOrdinary) != 0 || !IsPlainGlobal(each.address)) {
      return std::nullopt;
    }
    const unsigned length = std::min(CommonPrefix(each.address, destination), each.prefix_length);
    if (!best || length > longest) {
      best = each.address;
      longest = length;
    }
  }
  return IsPlainGlobal(destination) ? best : std::nullopt;
}

}  // namespace

std::optional<IpAddress> MasqueradeAddress(const Host& host, const Route& route, const IpAddress& destination,
                                           Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return std::nullopt;
  }
  const bool ipv4 = destination.Family() == IpFamily::kIpv4;
  ifaddrmsg header = {};
  header.ifa_family = ipv4 ? AF_INET : AF_INET6;
  netlink::Request request(RTM_GETADDR);
  request.Header(header);
  std::vector<DeviceAddress> addresses;
  netlink::FunctionSink sink([&] { addresses.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               if (const auto address = DecodeAddress(message, route.interface_index)) {
                                 addresses.push_back(*address);
                               }
                               return {};
                             });
  if (!channel->Dump(std::move(request), "read a device's addresses", deadline, sink)) {
    return std::nullopt;
  }
  const IpAddress& next_hop = route.gateway ? *route.gateway : destination;
  if (next_hop.Family() != destination.Family()) {
    return std::nullopt;  // an IPv4 route through an IPv6 gateway
  }
  return ipv4 ? SelectIpv4(addresses, next_hop) : SelectIpv6(addresses, destination);
}

Result<Route> FindRoute(const Host& host, const std::optional<IpAddress>& source, const IpAddress& destination,
                        Deadline deadline, std::optional<std::uint32_t> arriving_on) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  rtmsg header = {};
  header.rtm_family = destination.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  header.rtm_dst_len = static_cast<unsigned char>(destination.Bytes().size() * 8);
  header.rtm_src_len = source ? static_cast<unsigned char>(source->Bytes().size() * 8) : 0;
  netlink::Request request(RTM_GETROUTE);
  request.Header(header).PutBytes(RTA_DST, destination.Bytes());
  if (source) {
    request.PutBytes(RTA_SRC, source->Bytes());
  }
  if (arriving_on) {
    request.PutU32(RTA_IIF, *arriving_on);
  }
  Route route;
  auto asked =
      channel->Get(std::move(request), "look up the route to " + destination.Text(), deadline,
                   [&](const netlink::Message& message) -> Result<void> {
                     if (const auto answer = message.Header<rtmsg>()) {
                       route.local = answer->rtm_type == RTN_LOCAL;
                     }
                     netlink::ForEachAttribute(message.Attributes<rtmsg>(), [&](const netlink::Attribute& attribute) {
                       if (attribute.Type() == RTA_OIF) {
                         route.interface_index = attribute.U32().value_or(0);
                       } else if (attribute.Type() == RTA_GATEWAY) {
                         route.gateway = IpAddress::FromBytes(attribute.Payload());
                       }
                     });
                     return {};
                   });
  if (!asked) {
    return Failure(asked.error());
  }
  if (auto described = DescribeInterface(host, deadline, route); !described) {
    return Failure(described.error());
  }
  return route;
}

}  // namespace finwait::kernel
