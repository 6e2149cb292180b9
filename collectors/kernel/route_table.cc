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

// Calls `take_in` with each route of the family, of which the header is whole; `restart` before each try.
template <typename Restart, typename TakeIn>
Result<void> DumpRoutes(const Host& host, IpFamily family, Deadline deadline, const Restart& restart,
                        const TakeIn& take_in) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  rtmsg header = {};
  header.rtm_family = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  std::size_t routes = 0;
  netlink::FunctionSink sink(
      [&] {
        routes = 0;
        restart();
      },
      [&](const netlink::Message& message) -> Result<void> {
        const auto route = message.Header<rtmsg>();
        if (!route || route->rtm_family != header.rtm_family || (route->rtm_flags & RTM_F_CLONED) != 0) {
          return {};
        }
        if (routes == kMostRoutePrefixes) {
          return Fail(FailureReason::kUnsupported,
                      "this host has more than " + std::to_string(kMostRoutePrefixes) + " routes");
        }
        ++routes;
        take_in(message);
        return {};
      });
  netlink::Request request(RTM_GETROUTE);
  request.Header(header);
  if (auto dumped = channel->Dump(std::move(request), "read the routes", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return {};
}

std::optional<RoutePrefix> DecodePrefix(const netlink::Message& message, IpFamily family) {
  const auto header = message.Header<rtmsg>();
  RoutePrefix prefix;
  prefix.length = header->rtm_dst_len;
  prefix.by_type_of_service = header->rtm_tos != 0;
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

void TakeIn(const rtmsg& route, RouteSurvey& survey) {
  survey.has_default = survey.has_default ||
                       (route.rtm_dst_len == 0 && route.rtm_type == RTN_UNICAST && route.rtm_table == RT_TABLE_MAIN &&
                        route.rtm_tos == 0 && (route.rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0);
  survey.some_refuse = survey.some_refuse || route.rtm_type == RTN_UNREACHABLE || route.rtm_type == RTN_BLACKHOLE ||
                       route.rtm_type == RTN_PROHIBIT || route.rtm_type == RTN_THROW;
  survey.by_type_of_service = survey.by_type_of_service || route.rtm_tos != 0;
}

}  // namespace

Result<std::vector<RoutePrefix>> ReadRoutePrefixes(const Host& host, IpFamily family, Deadline deadline) {
  std::vector<RoutePrefix> prefixes;
  auto dumped = DumpRoutes(
      host, family, deadline, [&] { prefixes.clear(); },
      [&](const netlink::Message& message) {
        if (auto prefix = DecodePrefix(message, family)) {
          prefixes.push_back(*prefix);
        }
      });
  if (!dumped) {
    return Failure(dumped.error());
  }
  return prefixes;
}

Result<RouteSurvey> SurveyRoutes(const Host& host, IpFamily family, Deadline deadline) {
  RouteSurvey survey;
  auto dumped = DumpRoutes(
      host, family, deadline, [&] { survey = RouteSurvey(); },
      [&](const netlink::Message& message) { TakeIn(*message.Header<rtmsg>(), survey); });
  if (!dumped) {
    return Failure(dumped.error());
  }
  return survey;
}

}  // namespace finwait::kernel
