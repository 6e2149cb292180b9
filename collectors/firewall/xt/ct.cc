// -j CT and -j NOTRACK: what conntrack's look-up is to do with the packet.
#include <linux/netfilter/xt_CT.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace ct {
namespace {

std::optional<xt_ct_target_info> DecodeCt(const XtTarget& target) { return ReadAs<xt_ct_target_info>(target.info); }

// xt_ct_target(): only where nothing is known of the packet yet.
Effect SetTracking(Packet& packet, PacketTracking tracking) {
  if (packet.tracking == PacketTracking::kNoEntry) {
    packet.tracking = tracking;
  }
  return {};
}

// xt_ct_tg_check(). A zone for one direction is none for the other: then no single one is known.
std::optional<std::uint16_t> ZoneOf(const xt_ct_target_info& info, const Packet& packet) {
  constexpr std::uint16_t kOneDirection = XT_CT_ZONE_DIR_ORIG | XT_CT_ZONE_DIR_REPL;
  if ((info.flags & kOneDirection) != 0) {
    return std::nullopt;
  }
  if ((info.flags & XT_CT_ZONE_MARK) == 0) {
    return info.zone;
  }
  packet::Wide mark = 0;
  return packet::KnownNumber(packet.mark.bytes, &mark) ? std::optional(static_cast<std::uint16_t>(mark)) : std::nullopt;
}

Effect ApplyCt(const XtTarget& target, Packet& packet, const HookContext&) {
  const auto info = DecodeCt(target);
  if (!info && packet.tracking == PacketTracking::kNoEntry) {
    return Effect::Unknown("a CT target of a form not known to this version");
  }
  const bool untracked = info && (info->flags & XT_CT_NOTRACK) != 0;
  if (!untracked && packet.tracking == PacketTracking::kNoEntry) {
    packet.zone = ZoneOf(*info, packet);
  }
  return SetTracking(packet, untracked ? PacketTracking::kUntracked : PacketTracking::kTemplate);
}

Effect ApplyNotrack(const XtTarget&, Packet& packet, const HookContext&) {
  return SetTracking(packet, PacketTracking::kUntracked);
}

// xt_ct_tg_check(): --notrack needs nothing.
Traits TraitsOfCt(const XtTarget& target) {
  const auto info = DecodeCt(target);
  return {.changes_packet = true, .needs_conntrack = !info || (info->flags & XT_CT_NOTRACK) == 0};
}

std::optional<OptionText> TextOfCt(const XtTarget& target, bool) {
  constexpr std::uint16_t kKnown = XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS;
  const auto info = DecodeCt(target);
  if (info && (info->flags & XT_CT_NOTRACK_ALIAS) != 0) {
    return OptionText("", "NOTRACK");
  }
  if (!info || (info->flags & ~kKnown) != 0 || info->ct_events != 0 || info->exp_events != 0) {
    return std::nullopt;
  }
  std::string text;
  if ((info->flags & XT_CT_NOTRACK) != 0) {
    text += " --notrack";
  }
  if (info->helper[0] != '\0') {
    text += " --helper " + std::string(BoundedText(info->helper));
  }
  return info->zone != 0 ? text + " --zone " + std::to_string(info->zone) : text;
}

constexpr Target kTargets[] = {
    {.name = "CT",
     .revisions = kAnyRevision,
     .traits = {.changes_packet = true, .needs_conntrack = true},
     .apply = ApplyCt,
     .text = TextOfCt,
     .traits_of = TraitsOfCt},
    {.name = "NOTRACK", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = ApplyNotrack},
};

}  // namespace
}  // namespace ct

Family families::Ct() { return {.targets = ct::kTargets}; }

}  // namespace finwait::firewall::xt
