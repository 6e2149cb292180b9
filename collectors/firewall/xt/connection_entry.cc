// Matches on what conntrack's entry holds besides state, tuples and mark. Without an entry each has an answer of its
// own.
#include <linux/netfilter/xt_connlabel.h>
#include <linux/netfilter/xt_helper.h>

#include <bit>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_entry.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace connection_entry {
namespace {

Conditions HasUnknownAnswer(const XtMatch&, const Packet& packet, const HookContext&, FactLookup&) {
  return {Condition::Of(HasEntry(packet) ? Tristate::kUnknown : Tristate::kNo, kEntry)};
}

// connlabel_mt(): bits of unsigned long, so that on little endian bit n is in byte n / 8. --set sets the label where
// there is room, and then it is there.
Conditions ConnlabelConditions(const xt_connlabel_mtinfo& info, const Packet& packet, const HookContext&,
                               FactLookup& facts) {
  Tristate has = HasEntry(packet) ? Tristate::kUnknown : Tristate::kNo;
  if (const facts::ConnectionEntry* entry = EntryOf(packet, facts)) {
    constexpr unsigned kBits = 8;
    const std::size_t at = info.bit / kBits;
    const bool set = (info.options & XT_CONNLABEL_OP_SET) != 0;
    if (!entry->labels) {
      has = Tristate::kNo;
    } else if (std::endian::native == std::endian::little && at < entry->labels->size()) {
      has = TristateOf(set || ((*entry->labels)[at] >> (info.bit % kBits) & 1) != 0);
    }
  }
  return {Condition::Of(has, kEntry).Invert((info.options & XT_CONNLABEL_OP_INVERT) != 0)};
}

// Only connections that a helper expected have a master, and none is without an entry.
Conditions HelperConditions(const xt_helper_info& info, const Packet& packet, const HookContext&, FactLookup& facts) {
  const facts::ConnectionEntry* entry = EntryOf(packet, facts);
  const bool none =
      !HasEntry(packet) || packet.tracking == PacketTracking::kNew || (entry != nullptr && !entry->expected);
  return {Condition::Of(none ? Tristate::kNo : Tristate::kUnknown, kEntry).Invert(info.invert != 0)};
}

OptionText HelperText(const xt_helper_info& info) {
  return Inversion(info.invert != 0) + " --helper " + Quoted(BoundedText(info.name));
}

constexpr Traits kTraits = {.needs_conntrack = true};

constexpr Match kMatches[] = {
    {.name = "cluster", .revisions = {0, 0}, .traits = kTraits, .conditions = HasUnknownAnswer},
    {.name = "connbytes", .revisions = {0, 0}, .traits = kTraits, .conditions = HasUnknownAnswer},
    {.name = "connlabel",
     .revisions = {0, 0},
     .traits = kTraits,
     .conditions = kConditionsOf<xt_connlabel_mtinfo, ConnlabelConditions>},
    {.name = "helper",
     .revisions = {0, 0},
     .traits = kTraits,
     .conditions = kConditionsOf<xt_helper_info, HelperConditions>,
     .text = kMatchTextOf<xt_helper_info, HelperText>},
};

}  // namespace
}  // namespace connection_entry

Family families::ConnectionEntry() { return {.matches = connection_entry::kMatches}; }

}  // namespace finwait::firewall::xt
