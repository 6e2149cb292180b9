#include "collectors/kernel/route.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace finwait::kernel {
namespace {

// IFLA_LINKINFO holds the kind of those devices that have one, and what kind of device they are a port of.
void TakeKinds(const netlink::Attribute& link_info, std::string& kind, std::string& master_kind) {
  netlink::ForEachAttribute(link_info.Payload(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == IFLA_INFO_KIND) {
      kind = attribute.Text();
    } else if (attribute.Type() == IFLA_INFO_SLAVE_KIND) {
      master_kind = attribute.Text();
    }
  });
}

// The device of a route, in `route` itself.
Result<void> DescribeInterface(netlink::Channel& channel, Deadline deadline, Route& route) {
  ifinfomsg header = {};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(route.interface_index);
  std::uint32_t master = 0;
  std::string master_kind;
  auto asked = channel.Get(netlink::Request(RTM_GETLINK).Header(header), "look up a network device", deadline,
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
                                                         } else if (attribute.Type() == IFLA_MASTER) {
                                                           master = attribute.U32().value_or(0);
                                                         } else if (attribute.Type() == IFLA_LINKINFO) {
                                                           TakeKinds(attribute, route.interface_kind, master_kind);
                                                         }
                                                       });
                             return {};
                           });
  route.vrf_index = master_kind == "vrf" ? master : 0;
  return asked;
}

// The device of a route, and the VRF of which it is a port, in `route` itself.
Result<void> DescribeDevices(netlink::Channel& channel, Deadline deadline, Route& route) {
  if (auto asked = DescribeInterface(channel, deadline, route); !asked || route.vrf_index == 0) {
    return asked;
  }
  Route vrf;
  vrf.interface_index = route.vrf_index;
  if (auto asked = DescribeInterface(channel, deadline, vrf); !asked) {
    return asked;
  }
  route.vrf_name = vrf.interface_name;
  route.vrf_group = vrf.interface_group;
  return {};
}

// `flags`: of rtm_flags.
netlink::Request RequestFor(const RouteQuery& query, unsigned flags) {
  rtmsg header = {};
  header.rtm_flags = flags;
  header.rtm_family = query.destination.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  header.rtm_dst_len = static_cast<unsigned char>(query.destination.Bytes().size() * 8);
  header.rtm_src_len = query.source ? static_cast<unsigned char>(query.source->Bytes().size() * 8) : 0;
  constexpr unsigned char kWithoutEcn = 0xfc;  // INET_DSCP_MASK
  header.rtm_tos = query.type_of_service & kWithoutEcn;
  netlink::Request request(RTM_GETROUTE);
  request.Header(header).PutBytes(RTA_DST, query.destination.Bytes());
  if (query.source) {
    request.PutBytes(RTA_SRC, query.source->Bytes());
  }
  if (query.bound_device != 0) {
    request.PutU32(RTA_OIF, query.bound_device);
  }
  if (query.arriving_on != 0) {
    request.PutU32(RTA_IIF, query.arriving_on);
  }
  if (query.mark != 0) {
    request.PutU32(RTA_MARK, query.mark);
  }
  if (query.user) {
    request.PutU32(RTA_UID, *query.user);
  }
  if (query.source_port && query.destination_port) {
    request.PutU8(RTA_IP_PROTO, IPPROTO_TCP);
    request.PutBigEndian16(RTA_SPORT, *query.source_port);
    request.PutBigEndian16(RTA_DPORT, *query.destination_port);
  }
  return request;
}

Route DecodeRoute(const netlink::Message& message) {
  Route route;
  if (const auto answer = message.Header<rtmsg>()) {
    route.local = answer->rtm_type == RTN_LOCAL;
  }
  netlink::ForEachAttribute(message.Attributes<rtmsg>(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == RTA_OIF) {
      route.interface_index = attribute.U32().value_or(0);
    } else if (attribute.Type() == RTA_GATEWAY) {
      route.gateway = IpAddress::FromBytes(attribute.Payload());
      route.on_link = false;
    } else if (attribute.Type() == RTA_VIA) {  // an IPv4 route through an IPv6 gateway
      route.on_link = false;
    } else if (attribute.Type() == RTA_FLOW) {
      route.realm = attribute.U32().value_or(0);
    } else if (attribute.Type() == RTA_METRICS) {
      netlink::ForEachAttribute(attribute.Payload(), [&](const netlink::Attribute& metric) {
        const auto limit = metric.Type() == RTAX_HOPLIMIT ? metric.U32() : std::nullopt;
        if (limit && *limit > 0 && *limit <= 255) {
          route.hop_limit = static_cast<std::uint8_t>(*limit);
        }
      });
    }
  });
  return route;
}

// The devices of the matched entry of a routing table (RTM_F_FIB_MATCH), which has all of its next hops.
std::set<std::uint32_t> DecodeNextHopDevices(const netlink::Message& message) {
  std::set<std::uint32_t> devices;
  netlink::ForEachAttribute(message.Attributes<rtmsg>(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == RTA_OIF) {
      devices.insert(attribute.U32().value_or(0));
    } else if (attribute.Type() == RTA_MULTIPATH) {
      std::span<const std::byte> left = attribute.Payload();
      rtnexthop hop = {};
      while (left.size() >= sizeof hop) {
        std::memcpy(&hop, left.data(), sizeof hop);
        if (hop.rtnh_len < sizeof hop) {
          break;
        }
        devices.insert(static_cast<std::uint32_t>(hop.rtnh_ifindex));
        left = left.subspan(std::min<std::size_t>(RTNH_ALIGN(hop.rtnh_len), left.size()));
      }
    }
  });
  return devices;
}

// Asks at most Channel::kMostAtOnce queries. `decode` makes an answer a T.
template <typename T, typename Decode>
void AskForRoutes(const Host& host, std::span<const RouteQuery> queries, unsigned flags, const Decode& decode,
                  Deadline deadline, std::span<Result<T>> results) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    std::fill(results.begin(), results.end(), Failure(channel.error()));
    return;
  }
  std::vector<netlink::Request> requests;
  for (const RouteQuery& query : queries) {
    requests.push_back(RequestFor(query, flags));
  }
  const auto asked = channel->GetEach(
      requests, "look up a route", deadline, [&](std::size_t i, const Result<netlink::Message>& answer) {
        results[i] = answer ? Result<T>(decode(*answer)) : Result<T>(Failure(answer.error()));
      });
  if (asked) {
    return;
  }
  // A route of type prohibit answers with EACCES, which GetEach takes for a word about all of them.
  if (queries.size() > 1 && asked.error().reason == FailureReason::kPermission) {
    for (std::size_t i = 0; i < queries.size(); ++i) {
      AskForRoutes<T>(host, queries.subspan(i, 1), flags, decode, deadline, results.subspan(i, 1));
    }
    return;
  }
  std::fill(results.begin(), results.end(), Failure(asked.error()));
}

// The same for any number of them.
template <typename T, typename Decode>
std::vector<Result<T>> AskForAllRoutes(const Host& host, std::span<const RouteQuery> queries, unsigned flags,
                                       const Decode& decode, Deadline deadline) {
  std::vector<Result<T>> results(queries.size(),
                                 Fail(FailureReason::kError, "look up a route: the kernel did not answer"));
  for (std::size_t from = 0; from < queries.size(); from += netlink::Channel::kMostAtOnce) {
    const std::size_t count = std::min(queries.size() - from, netlink::Channel::kMostAtOnce);
    AskForRoutes<T>(host, queries.subspan(from, count), flags, decode, deadline,
                    std::span(results).subspan(from, count));
  }
  return results;
}

// Ordinary global unicast: 2000::/3 without the ranges that have a label of their own in the kernel's table (2002::/16
// and 2001::/28 to the left of 2001:db8::/32).
bool IsPlainGlobal(const IpAddress& address) {
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(address.Bytes()[i]); };
  const bool teredo_or_orchid = byte(0) == 0x20 && byte(1) == 0x01 && byte(2) == 0 && byte(3) < 0x20;
  return (byte(0) & 0xe0) == 0x20 && !(byte(0) == 0x20 && byte(1) == 0x02) && !teredo_or_orchid;
}

std::vector<Result<Route>> FindDescribedRoutes(const Host& host, std::span<const RouteQuery> queries,
                                               Deadline deadline) {
  std::vector<Result<Route>> results = AskForAllRoutes<Route>(host, queries, 0, DecodeRoute, deadline);
  std::map<std::uint32_t, Result<Route>> devices;  // by index: the same few for all
  for (Result<Route>& result : results) {
    if (!result) {
      continue;
    }
    auto device = devices.find(result->interface_index);
    if (device == devices.end()) {
      Result<Route> described = *result;
      auto channel = host.open_channel(NETLINK_ROUTE);
      if (!channel) {
        described = Failure(channel.error());
      } else if (auto asked = DescribeDevices(*channel, deadline, *described); !asked) {
        described = Failure(asked.error());
      }
      device = devices.emplace(result->interface_index, std::move(described)).first;
    }
    if (!device->second) {
      result = Failure(device->second.error());
      continue;
    }
    result->interface_name = device->second->interface_name;
    result->interface_type = device->second->interface_type;
    result->interface_group = device->second->interface_group;
    result->interface_kind = device->second->interface_kind;
    result->vrf_index = device->second->vrf_index;
    result->vrf_name = device->second->vrf_name;
    result->vrf_group = device->second->vrf_group;
  }
  return results;
}

// Whether the answer is not what a bound socket would get: it always leaves by its device (ip6_route_output_flags()
// with a socket). Asked without a socket, the kernel insists on the device only where no source is given.
bool MissesBoundDevice(const RouteQuery& query, const Result<Route>& result) {
  return query.destination.Family() == IpFamily::kIpv6 && query.bound_device != 0 && query.source && result &&
         result->interface_index != query.bound_device && result->vrf_index != query.bound_device;
}

}  // namespace

std::vector<Result<Route>> FindRoutes(const Host& host, std::span<const RouteQuery> queries, Deadline deadline) {
  std::vector<Result<Route>> results = FindDescribedRoutes(host, queries, deadline);
  std::vector<std::size_t> missed;
  std::vector<RouteQuery> again;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (MissesBoundDevice(queries[i], results[i])) {
      missed.push_back(i);
      again.push_back(queries[i]);
      again.back().source.reset();
    }
  }
  std::vector<Result<Route>> bound = FindDescribedRoutes(host, again, deadline);
  for (std::size_t i = 0; i < missed.size(); ++i) {
    results[missed[i]] = std::move(bound[i]);
  }
  return results;
}

std::vector<Result<std::set<std::uint32_t>>> FindNextHopDevices(const Host& host, std::span<const RouteQuery> queries,
                                                                Deadline deadline) {
  return AskForAllRoutes<std::set<std::uint32_t>>(host, queries, RTM_F_FIB_MATCH, DecodeNextHopDevices, deadline);
}

Result<Route> FindRoute(const Host& host, const RouteQuery& query, Deadline deadline) {
  return std::move(FindRoutes(host, std::span(&query, 1), deadline).front());
}

// fib_table_lookup() and fib6_rule_action(): no route, or one of type unreachable, prohibit, blackhole (fib_props[]).
// ip_route_input(): a source that does not belong on the device (EXDEV from rp_filter, EINVAL since Linux 6.13).
bool IsNoRoute(const Error& error) {
  return error.errno_code == ENETUNREACH || error.errno_code == EHOSTUNREACH || error.errno_code == EACCES ||
         error.errno_code == EINVAL || error.errno_code == EXDEV;
}

Result<DeviceAddresses> DeviceAddresses::Read(const Host& host, IpFamily family, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  DeviceAddresses all;
  ifaddrmsg header = {};
  header.ifa_family = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  netlink::Request request(RTM_GETADDR);
  request.Header(header);
  netlink::FunctionSink sink([&] { all.addresses_.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               all.TakeIn(message);
                               return {};
                             });
  if (auto dumped = channel->Dump(std::move(request), "read the devices' addresses", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return all;
}

void DeviceAddresses::TakeIn(const netlink::Message& message) {
  const auto header = message.Header<ifaddrmsg>();
  if (!header) {
    return;
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
  if (local) {
    found.address = *local;
    addresses_[header->ifa_index].push_back(found);
  }
}

// inet_select_addr(device, nexthop, RT_SCOPE_UNIVERSE): the first primary address whose network the next hop is in, or
// else the first.
std::optional<IpAddress> DeviceAddresses::SelectIpv4(const std::vector<DeviceAddress>& addresses,
                                                     const IpAddress& next_hop) {
  std::optional<IpAddress> first;
  for (const DeviceAddress& each : addresses) {
    if ((each.flags & IFA_F_SECONDARY) != 0 || each.scope != RT_SCOPE_UNIVERSE) {
      continue;
    }
    if (next_hop.CommonPrefix(each.address) >= each.prefix_length) {
      return each.address;
    }
    first = first ? first : std::optional(each.address);
  }
  return first;
}

// ipv6_dev_get_saddr() among the addresses of the device: of ordinary addresses the one with the longest prefix in
// common with the destination, as far as its own network reaches, and of equals the first. Nothing where the other
// rules of RFC 6724 would have to choose.
std::optional<IpAddress> DeviceAddresses::SelectIpv6(const std::vector<DeviceAddress>& addresses,
                                                     const IpAddress& destination) {
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
    const unsigned length = std::min(each.address.CommonPrefix(destination), each.prefix_length);
    if (!best || length > longest) {
      best = each.address;
      longest = length;
    }
  }
  return IsPlainGlobal(destination) ? best : std::nullopt;
}

std::optional<IpAddress> DeviceAddresses::ForMasquerade(const Route& route, const IpAddress& destination) const {
  const auto device = addresses_.find(route.interface_index);
  const IpAddress& next_hop = route.gateway ? *route.gateway : destination;
  if (device == addresses_.end() || next_hop.Family() != destination.Family()) {
    return std::nullopt;  // no address, or an IPv4 route through an IPv6 gateway
  }
  return destination.Family() == IpFamily::kIpv4 ? SelectIpv4(device->second, next_hop)
                                                 : SelectIpv6(device->second, destination);
}

}  // namespace finwait::kernel
