// -m physdev: the port of a bridge that received the packet. Without a bridge behind the packet it matches when
// everything asked for is inverted; a packet of our own has not met one yet.
#include <linux/netfilter/xt_physdev.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

Conditions Meaning(const xt_physdev_info& info, const Packet&, const HookContext& context) {
  const bool fresh = context.journey == PathKind::kLoopback || context.hook == Hook::kOutput ||
                     (context.journey == PathKind::kLocal && context.hook == Hook::kPostrouting);
  // "Bridged" is what a bridge forwards from port to port. Our packets are sent, received or routed here, whatever
  // port of a bridge they came in through.
  const bool only_bridged = info.bitmask == XT_PHYSDEV_OP_BRIDGED;
  if (!fresh && !only_bridged) {
    return {Condition::Of(Tristate::kUnknown, "whether a bridge port received the packet")};
  }
  return {Condition::Of((info.bitmask & ~info.invert) == 0)};
}

constexpr Match kMatches[] = {
    {.name = "physdev", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<xt_physdev_info, Meaning>}};

}  // namespace

Family families::Physdev() { return {.matches = kMatches}; }

}  // namespace finwait::firewall::xt
