// All that the program would have to be told of a new extension.
#include "tests/unit/collectors/firewall/xt/warp.h"

#include "collectors/firewall/xt/packet_fields.h"

namespace finwait::firewall::xt {
namespace {

Conditions Meaning(const WarpMatchInfo& info, const Packet& packet, const HookContext&) {
  return {PortIn(packet.DestinationPort(), info.port, info.port, packet.family)};
}

OptionText MatchText(const WarpMatchInfo& info) { return " --port " + std::to_string(info.port); }

Effect Apply(const XtTarget& target, Packet& packet, const HookContext&) {
  const auto info = ReadAs<WarpTargetInfo>(target.info);
  packet.mark = info ? AbstractNumber<4>::Known(info->mark) : AbstractNumber<4>::Unknown();
  return {};
}

OptionText TargetText(const WarpTargetInfo& info) { return " --mark " + std::to_string(info.mark); }

constexpr Match kMatches[] = {{.name = "warp",
                               .revisions = {7, 7},
                               .traits = {.needs_conntrack = true},
                               .conditions = kConditionsOf<WarpMatchInfo, Meaning>,
                               .text = kMatchTextOf<WarpMatchInfo, MatchText>}};

constexpr Target kTargets[] = {{.name = "WARP",
                                .revisions = kAnyRevision,
                                .traits = {.changes_packet = true},
                                .apply = Apply,
                                .text = kTargetTextOf<WarpTargetInfo, TargetText>}};

}  // namespace

Family Warp() { return {.matches = kMatches, .targets = kTargets}; }

}  // namespace finwait::firewall::xt
