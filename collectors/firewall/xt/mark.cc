// -m mark, -j MARK and -j HMARK: the packet's mark.
#include <linux/netfilter/xt_mark.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace mark {
namespace {

Conditions Meaning(const xt_mark_mtinfo1& info, const Packet& packet, const HookContext&) {
  return {NumberIs(packet.mark, info.mask, info.mark, packet.family).Invert(info.invert != 0)};
}

OptionText MatchText(const xt_mark_mtinfo1& info) { return MarkOption(info.invert != 0, info.mark, info.mask); }

Effect ApplyMark(const XtTarget& target, Packet& packet, const HookContext&) {
  const auto info = ReadAs<xt_mark_tginfo2>(target.info);
  if (!info) {
    return Effect::Unknown("a MARK target of a form not known to this version");
  }
  packet.mark = Marked(packet.mark, info->mask, info->mark);
  return {};
}

OptionText MarkText(const xt_mark_tginfo2& info) {
  return " --set-xmark " + HexText(info.mark) + "/" + HexText(info.mask);
}

// A hash of addresses and ports.
Effect ApplyHmark(const XtTarget&, Packet& packet, const HookContext&) {
  packet.mark = AbstractNumber<4>::Unknown();
  return {};
}

constexpr Match kMatches[] = {{.name = "mark",
                               .revisions = {1, 1},
                               .traits = {},
                               .conditions = kConditionsOf<xt_mark_mtinfo1, Meaning>,
                               .text = kMatchTextOf<xt_mark_mtinfo1, MatchText>}};

constexpr Target kTargets[] = {
    {.name = "HMARK", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = ApplyHmark},
    {.name = "MARK",
     .revisions = {2, 2},
     .traits = {.changes_packet = true},
     .apply = ApplyMark,
     .text = kTargetTextOf<xt_mark_tginfo2, MarkText>},
};

}  // namespace
}  // namespace mark

Family families::Mark() { return {.matches = mark::kMatches, .targets = mark::kTargets}; }

}  // namespace finwait::firewall::xt
