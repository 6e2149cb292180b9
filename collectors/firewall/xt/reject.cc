// -j REJECT. All there is in ipt_reject_info and ip6t_reject_info is the number of the answer.
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

#include <iterator>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace reject {
namespace {

std::optional<std::uint32_t> Answer(const XtTarget& target) { return ReadAs<std::uint32_t>(target.info); }

Effect Apply(const XtTarget&, Packet&, const HookContext&) { return {.kind = Effect::Kind::kReject}; }

bool Resets(const XtTarget& target, IpFamily family) {
  return Answer(target) == (family == IpFamily::kIpv4 ? std::uint32_t{IPT_TCP_RESET} : std::uint32_t{IP6T_TCP_RESET});
}

std::optional<OptionText> Text(const XtTarget& target, bool ipv6) {
  // In the order of ipt_reject_with and ip6t_reject_with; null where iptables has no name.
  static constexpr const char* kIpv4[] = {"icmp-net-unreachable",
                                          "icmp-host-unreachable",
                                          "icmp-proto-unreachable",
                                          "icmp-port-unreachable",
                                          nullptr,
                                          "icmp-net-prohibited",
                                          "icmp-host-prohibited",
                                          "tcp-reset",
                                          "icmp-admin-prohibited"};
  static constexpr const char* kIpv6[] = {"icmp6-no-route",
                                          "icmp6-adm-prohibited",
                                          nullptr,
                                          "icmp6-addr-unreachable",
                                          "icmp6-port-unreachable",
                                          nullptr,
                                          "tcp-reset",
                                          "icmp6-policy-fail",
                                          "icmp6-reject-route"};
  static_assert(IPT_ICMP_ADMIN_PROHIBITED == std::size(kIpv4) - 1 && IP6T_ICMP6_REJECT_ROUTE == std::size(kIpv6) - 1);
  const auto with = Answer(target);
  const char* name = with && *with < std::size(kIpv4) ? (ipv6 ? kIpv6 : kIpv4)[*with] : nullptr;
  return name != nullptr ? std::optional<OptionText>(std::string(" --reject-with ") + name) : std::nullopt;
}

constexpr Target kTargets[] = {{.name = "REJECT",
                                .revisions = kAnyRevision,
                                .traits = {.terminal = true},
                                .apply = Apply,
                                .text = Text,
                                .resets = Resets}};

}  // namespace
}  // namespace reject

Family families::Reject() { return {.targets = reject::kTargets}; }

}  // namespace finwait::firewall::xt
