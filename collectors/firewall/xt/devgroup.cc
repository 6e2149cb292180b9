#include <linux/netfilter/xt_devgroup.h>

#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace devgroup {
namespace {

Conditions Meaning(const xt_devgroup_info& info, const Packet& packet, const HookContext& context) {
  Conditions conditions;
  if ((info.flags & XT_DEVGROUP_MATCH_SRC) != 0) {
    conditions.push_back(NumberIs(context.in.group, info.src_mask, info.src_group & info.src_mask, packet.family)
                             .Invert((info.flags & XT_DEVGROUP_INVERT_SRC) != 0));
  }
  if ((info.flags & XT_DEVGROUP_MATCH_DST) != 0) {
    conditions.push_back(NumberIs(context.out.group, info.dst_mask, info.dst_group & info.dst_mask, packet.family)
                             .Invert((info.flags & XT_DEVGROUP_INVERT_DST) != 0));
  }
  return conditions;
}

constexpr Match kMatches[] = {
    {.name = "devgroup", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<xt_devgroup_info, Meaning>}};

}  // namespace
}  // namespace devgroup

Family families::Devgroup() { return {.matches = devgroup::kMatches}; }

}  // namespace finwait::firewall::xt
