// -m policy: the IPsec policy by which a packet was or will be transformed. Where the namespace has none, none applies.
#include <linux/netfilter.h>
#include <linux/netfilter/xt_policy.h>

#include "collectors/firewall/xt/ipsec.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace policy {
namespace {

// policy_mt(): without a transformation it matches where that is what is asked for (--pol none), else never.
Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext&, FactLookup& facts) {
  const auto info = Decode<xt_policy_info>(match);
  if (!info) {
    return Unreadable();
  }
  if (PassesIpsec(packet, facts) != Tristate::kNo) {
    return {Condition::Of(Tristate::kUnknown, kIpsecPolicy)};
  }
  return {Condition::Of((info->flags & XT_POLICY_MATCH_NONE) != 0)};
}

constexpr Match kMatches[] = {{.name = "policy", .revisions = {0, 0}, .traits = {}, .conditions = Meaning}};

}  // namespace
}  // namespace policy

Family families::Policy() { return {.matches = policy::kMatches}; }

}  // namespace finwait::firewall::xt
