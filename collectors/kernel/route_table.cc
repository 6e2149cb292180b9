#include "collectors/kernel/route_table.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {
namespace {

std::optional<RoutePrefix> DecodePrefix(const netlink::Message& message, IpFamily family) {
  const auto header = message.Header<rtmsg>();
  const int wanted = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  if (!header || header->rtm_family != wanted || (header->rtm_flags & RTM_F_CLONED) != 0) {
    return std::nullopt;
  }
  RoutePrefix prefix;
  prefix.length = header->rtm_dst_len;
  prefix.to_one_host =
      header->rtm_type != RTN_BROADCAST && header->rtm_type != RTN_MULTICAST && header->rtm_type != RTN_ANYCAST;
  constexpr std::array<std::byte, 16> kZeros = {};
  std::optional<IpAddress> first = IpAddress::FromBytes(std::span(kZeros).first(family == IpFamily::kIpv4 ? 4 : 16));
  netlink::ForEachAttribute(message.Attributes<rtmsg>(), [&](const netlink::Attribute& attribute) {
    if (attribute.Type() == RTA_DST) {
      first = IpAddress::FromBytes(attribute.Payload());
    } else if (attribute.Type() == RTA_MULTIPATH || attribute.Type() == RTA_NH_ID) {
      prefix.several_hops = true;
    }
  });
  if (!first || first->Family() != family) {
    return std::nullopt;  // IPv4-mapped
  }
  prefix.first = *first;
  return prefix;
}

}  // namespace

Result<std::vector<RoutePrefix>> ReadRoutePrefixes(const Host& host, IpFamily family, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  rtmsg header = {};
  header.rtm_family = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  std::vector<RoutePrefix> prefixes;
  netlink::FunctionSink sink([&] { prefixes.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               if (auto prefix = DecodePrefix(message, family)) {
                                 if (prefixes.size() == kMostRoutePrefixes) {
                                   return Fail(
                                       FailureReason::kUnsupported,
                                       "this host has more than " + std::to_string(kMostRoutePrefixes) + " routes");
                                 }
                                 prefixes.push_back(*prefix);
                               }
                               return {};
                             });
  netlink::Request request(RTM_GETROUTE);
  request.Header(header);
  if (auto dumped = channel->Dump(std::move(request), "read the routes", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return prefixes;
}

}  // namespace finwait::kernel
