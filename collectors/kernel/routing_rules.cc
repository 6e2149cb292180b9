#include "collectors/kernel/routing_rules.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {

Result<RoutingRules> ReadRoutingRules(const Host& host, IpFamily family, Deadline deadline) {
  auto channel = host.open_channel(NETLINK_ROUTE);
  if (!channel) {
    return Failure(channel.error());
  }
  fib_rule_hdr header = {};
  header.family = family == IpFamily::kIpv4 ? AF_INET : AF_INET6;
  RoutingRules rules;
  netlink::FunctionSink sink(
      [&] { rules = RoutingRules(); },
      [&](const netlink::Message& message) -> Result<void> {
        netlink::ForEachAttribute(message.Attributes<fib_rule_hdr>(), [&](const netlink::Attribute& attribute) {
          const std::uint16_t type = attribute.Type();
          rules.by_mark = rules.by_mark || ((type == FRA_FWMASK || type == FRA_FWMARK) && attribute.U32() != 0U);
          rules.by_ports = rules.by_ports || type == FRA_SPORT_RANGE || type == FRA_DPORT_RANGE ||
                           (type == FRA_IP_PROTO && attribute.U8() != 0U);
        });
        return {};
      });
  netlink::Request request(RTM_GETRULE);
  request.Header(header);
  if (auto dumped = channel->Dump(std::move(request), "read routing rules", deadline, sink); !dumped) {
    return Failure(dumped.error());
  }
  return rules;
}

}  // namespace finwait::kernel
