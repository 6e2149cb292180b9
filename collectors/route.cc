#include "collectors/route.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace finwait {
namespace {

Result<std::string> InterfaceName(const Host& host, std::uint32_t index, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  std::string name;
  ifinfomsg header = {};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index);
  auto asked = channel->Get(netlink::Request(RTM_GETLINK).Header(header), "look up a network device", deadline,
                            [&](const netlink::Message& message) -> Result<void> {
                              netlink::ForEachAttribute(message.Attributes<ifinfomsg>(),
                                                        [&](const netlink::Attribute& attribute) {
                                                          if (attribute.Type() == IFLA_IFNAME) {
                                                            name = attribute.Text();
                                                          }
                                                        });
                              return {};
                            });
  if (!asked) {
    return Failure(asked.error());
  }
  return name;
}

}  // namespace

Result<Route> LookUpRoute(const Host& host, const IpAddress& source, const IpAddress& destination, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  rtmsg header = {};
  header.rtm_family = destination.Family() == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  header.rtm_dst_len = static_cast<unsigned char>(destination.Bytes().size() * 8);
  header.rtm_src_len = static_cast<unsigned char>(source.Bytes().size() * 8);
  netlink::Request request(RTM_GETROUTE);
  request.Header(header).PutBytes(RTA_DST, destination.Bytes()).PutBytes(RTA_SRC, source.Bytes());
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
                       }
                     });
                     return {};
                   });
  if (!asked) {
    return Failure(asked.error());
  }
  auto name = InterfaceName(host, route.interface_index, deadline);
  if (!name) {
    return Failure(name.error());
  }
  route.interface_name = std::move(*name);
  return route;
}

}  // namespace finwait
