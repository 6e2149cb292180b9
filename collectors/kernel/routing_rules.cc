#include "collectors/kernel/routing_rules.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {
namespace {

constexpr std::uint16_t kDscp = 25;       // FRA_DSCP, Linux 6.13
constexpr std::uint16_t kFlowLabel = 26;  // FRA_FLOWLABEL, Linux 6.14

// As `from all lookup main` does: it asks for nothing and suppresses nothing (fib4_rule_suppress()).
bool SendsAllToMain(const fib_rule_hdr& rule, const netlink::Message& message) {
  bool all = rule.action == FR_ACT_TO_TBL && rule.table == RT_TABLE_MAIN && rule.src_len == 0 && rule.dst_len == 0 &&
             rule.tos == 0 && (rule.flags & FIB_RULE_INVERT) == 0;
  netlink::ForEachAttribute(message.Attributes<fib_rule_hdr>(), [&](const netlink::Attribute& attribute) {
    const std::uint16_t type = attribute.Type();
    const bool asks_nothing = type == FRA_TABLE || type == FRA_PRIORITY || type == FRA_PROTOCOL || type == FRA_PAD ||
                              ((type == FRA_SUPPRESS_PREFIXLEN || type == FRA_SUPPRESS_IFGROUP) &&
                               attribute.U32() == 0xffffffffU);  // -1: none
    all = all && asks_nothing;
  });
  return all;
}

// fib_rule_match(), fib4_rule_match(), fib6_rule_match(): the kernel sends only what a rule asks for, save for zeros.
void TakeIn(const netlink::Attribute& attribute, RoutingRules& rules) {
  switch (attribute.Type()) {
    case FRA_FWMARK:
    case FRA_FWMASK:
      rules.by_mark = rules.by_mark || attribute.U32() != 0U;
      break;
    case FRA_IP_PROTO:
      rules.by_ports = rules.by_ports || attribute.U8() != 0U;
      break;
    case FRA_SPORT_RANGE:
    case FRA_DPORT_RANGE:
      rules.by_ports = true;
      break;
    case FRA_L3MDEV:
      rules.by_more_than_destination = rules.by_more_than_destination || attribute.U8() != 0U;
      break;
    case FRA_UID_RANGE:
      rules.by_user = true;
      break;
    case kDscp:
      rules.by_type_of_service = true;
      break;
    case FRA_IIFNAME:
    case FRA_OIFNAME:
    case kFlowLabel:
      rules.by_more_than_destination = true;
      break;
    default:
      break;
  }
  rules.by_more_than_destination =
      rules.by_more_than_destination || rules.by_mark || rules.by_ports || rules.by_user || rules.by_type_of_service;
}

}  // namespace

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
        if (const auto rule = message.Header<fib_rule_hdr>()) {
          rules.reach_main = rules.reach_main || SendsAllToMain(*rule, message);
          rules.by_more_than_destination = rules.by_more_than_destination || rule->src_len != 0 || rule->tos != 0;
          rules.by_type_of_service = rules.by_type_of_service || rule->tos != 0;
          rules.some_refuse = rules.some_refuse || rule->action == FR_ACT_UNREACHABLE ||
                              rule->action == FR_ACT_BLACKHOLE || rule->action == FR_ACT_PROHIBIT;
        }
        netlink::ForEachAttribute(message.Attributes<fib_rule_hdr>(),
                                  [&](const netlink::Attribute& attribute) { TakeIn(attribute, rules); });
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
