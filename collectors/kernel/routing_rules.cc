#include "collectors/kernel/routing_rules.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {

Result<bool> RoutesByMark(const Host& host, IpFamily family, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  fib_rule_hdr header = {};
  header.family = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  bool by_mark = false;
  netlink::FunctionSink sink([&] { by_mark = false; },
                             [&](const netlink::Message& message) -> Result<void> {
                               netlink::ForEachAttribute(
                                   message.Attributes<fib_rule_hdr>(), [&](const netlink::Attribute& attribute) {
                                     by_mark = by_mark || (attribute.Type() == FRA_FWMASK && attribute.U32() != 0U) ||
                                               (attribute.Type() == FRA_FWMARK && attribute.U32() != 0U);
                                   });
                               return {};
                             });
  netlink::Request request(RTM_GETRULE);
  request.Header(header);
  if (auto dumped = channel->Dump(std::move(request), "read routing rules", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return by_mark;
}

}  // namespace finwait::kernel
