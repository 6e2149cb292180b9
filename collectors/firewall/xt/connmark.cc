// -m connmark and -j CONNMARK: the mark of conntrack's entry.
#include <linux/netfilter/xt_connmark.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_entry.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace connmark {
namespace {

Conditions Meaning(const xt_connmark_mtinfo1& info, const Packet& packet, const HookContext&, FactLookup& facts) {
  if (!HasEntry(packet)) {
    return {Condition::Of(false)};  // inverted or not
  }
  if (packet.tracking == PacketTracking::kTemplate) {
    return {NumberIs(AbstractNumber<4>::Known(0), info.mask, info.mark, packet.family).Invert(info.invert != 0)};
  }
  return {NumberIs(ConnectionMarkOf(packet, facts), info.mask, info.mark, packet.family).Invert(info.invert != 0)};
}

OptionText MatchText(const xt_connmark_mtinfo1& info) { return MarkOption(info.invert != 0, info.mark, info.mask); }

// Revision 1 in the form of the second, which adds a shift by `shift_bits`.
std::optional<xt_connmark_tginfo2> DecodeTarget(const XtTarget& target) {
  if (target.revision != 1) {
    return ReadAs<xt_connmark_tginfo2>(target.info);
  }
  const auto older = ReadAs<xt_connmark_tginfo1>(target.info);
  if (!older) {
    return std::nullopt;
  }
  return xt_connmark_tginfo2{.ctmark = older->ctmark,
                             .ctmask = older->ctmask,
                             .nfmask = older->nfmask,
                             .shift_dir = 0,
                             .shift_bits = 0,
                             .mode = older->mode};
}

constexpr std::uint8_t kRightShift = 1;  // D_SHIFT_RIGHT of shift_dir

// --left-shift-mark and --right-shift-mark. A shift by 32 and more does nothing certain.
std::optional<std::uint32_t> Shifted(std::uint32_t number, const xt_connmark_tginfo2& info) {
  if (info.shift_bits >= 32) {
    return std::nullopt;
  }
  return info.shift_dir == kRightShift ? number >> info.shift_bits : number << info.shift_bits;
}

// (mark & ~clear) ^ ((other & mask) shifted); unknown where `other` is.
AbstractNumber<4> Copied(const AbstractNumber<4>& mark, std::uint32_t clear, const AbstractNumber<4>& other,
                         std::uint32_t mask, const xt_connmark_tginfo2& info) {
  packet::Wide number = 0;
  const auto shifted = packet::KnownNumber(other.bytes, &number)
                           ? Shifted(static_cast<std::uint32_t>(number) & mask, info)
                           : std::nullopt;
  return shifted ? Marked(mark, clear, *shifted) : AbstractNumber<4>::Unknown();
}

// What --set-xmark makes of the connection's mark: all of it is shifted.
AbstractNumber<4> Set(const AbstractNumber<4>& mark, const xt_connmark_tginfo2& info) {
  const AbstractNumber<4> set = Marked(mark, info.ctmask, info.ctmark);
  return info.shift_bits == 0 ? set : Copied(AbstractNumber<4>::Known(0), 0, set, UINT32_MAX, info);
}

// connmark_tg_shift(). Without an entry it does nothing: nothing is saved, and nothing restored.
Effect Apply(const XtTarget& target, Packet& packet, const HookContext&) {
  if (!HasEntry(packet)) {
    return {};
  }
  const auto info = DecodeTarget(target);
  if (!info || packet.tracking == PacketTracking::kTemplate) {
    packet.mark = AbstractNumber<4>::Unknown();
    packet.connection_mark = AbstractNumber<4>::Unknown();
  } else if (info->mode == XT_CONNMARK_SET) {
    packet.connection_mark = Set(packet.connection_mark, *info);
  } else if (info->mode == XT_CONNMARK_SAVE) {
    packet.connection_mark = Copied(packet.connection_mark, info->ctmask, packet.mark, info->nfmask, *info);
  } else if (info->mode == XT_CONNMARK_RESTORE) {
    packet.mark = Copied(packet.mark, info->nfmask, packet.connection_mark, info->ctmask, *info);
  }
  return {};
}

// A mark that is set as a whole hangs on none that was there before.
bool ReadsConnectionMark(const XtTarget& target) {
  const auto info = DecodeTarget(target);
  return info && (info->mode == XT_CONNMARK_RESTORE || info->ctmask != UINT32_MAX);
}

std::string ShiftText(const xt_connmark_tginfo2& info) {
  if (info.shift_bits == 0) {
    return "";
  }
  return (info.shift_dir == kRightShift ? " --right-shift-mark " : " --left-shift-mark ") +
         std::to_string(info.shift_bits);
}

std::optional<OptionText> TargetText(const XtTarget& target, bool) {
  const auto info = DecodeTarget(target);
  if (!info) {
    return std::nullopt;
  }
  if (info->mode == XT_CONNMARK_SET) {
    return " --set-xmark " + HexText(info->ctmark) + "/" + HexText(info->ctmask) + ShiftText(*info);
  }
  return (info->mode == XT_CONNMARK_SAVE ? " --save-mark" : " --restore-mark") + std::string(" --nfmask ") +
         HexText(info->nfmask) + " --ctmask " + HexText(info->ctmask) + ShiftText(*info);
}

constexpr Match kMatches[] = {{.name = "connmark",
                               .revisions = {1, 1},
                               .traits = {.needs_conntrack = true},
                               .conditions = kConditionsOf<xt_connmark_mtinfo1, Meaning>,
                               .text = kMatchTextOf<xt_connmark_mtinfo1, MatchText>}};

constexpr Target kTargets[] = {{.name = "CONNMARK",
                                .revisions = {1, 2},
                                .traits = {.changes_packet = true, .needs_conntrack = true},
                                .apply = Apply,
                                .text = TargetText,
                                .reads_connection_mark = ReadsConnectionMark}};

}  // namespace
}  // namespace connmark

Family families::Connmark() { return {.matches = connmark::kMatches, .targets = connmark::kTargets}; }

}  // namespace finwait::firewall::xt
