// -m set and -j SET: ipsets, whose contents are no part of the ruleset.
// Whether --map-set may give the packet an element's mark or priority (revision 3, set_target_v3()).
#include <linux/netfilter/xt_set.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

bool Maps(const XtTarget& target) {
  if (target.revision < 3) {
    return false;
  }
  const auto info = ReadAs<xt_set_info_target_v3>(target.info);
  return !info || info->map_set.index != IPSET_INVALID_ID;
}

Effect Apply(const XtTarget& target, Packet& packet, const HookContext&) {
  if (Maps(target)) {
    packet.mark = AbstractNumber<4>::Unknown();
    packet.priority = AbstractNumber<4>::Unknown();
  }
  return {};
}

Traits TraitsOfSet(const XtTarget& target) { return {.changes_packet = Maps(target)}; }

constexpr Match kMatches[] = {{.name = "set", .revisions = kAnyRevision, .traits = {.unknowable_because = "an ipset"}}};

constexpr Target kTargets[] = {{.name = "SET",
                                .revisions = kAnyRevision,
                                .traits = {.changes_packet = true},
                                .apply = Apply,
                                .traits_of = TraitsOfSet}};

}  // namespace

Family families::Set() { return {.matches = kMatches, .targets = kTargets}; }

}  // namespace finwait::firewall::xt
