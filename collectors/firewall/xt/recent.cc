// -m recent: lists of addresses that rules fill. What one holds is read; when its packets came, in the kernel's own
// time, is not.
#include <linux/netfilter.h>
#include <linux/netfilter/xt_recent.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/packet/connection_class.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

constexpr std::string_view kList = "a list of recent addresses";

// Revision 0 in the form of the first.
std::optional<xt_recent_mtinfo_v1> DecodeRecent(const XtMatch& match) {
  if (match.revision != 0) {
    return ReadAs<xt_recent_mtinfo_v1>(match.info);
  }
  const auto older = ReadAs<xt_recent_mtinfo>(match.info);
  if (!older) {
    return std::nullopt;
  }
  xt_recent_mtinfo_v1 info = {};
  info.seconds = older->seconds;
  info.hit_count = older->hit_count;
  info.check_set = older->check_set;
  info.invert = older->invert;
  std::copy(std::begin(older->name), std::end(older->name), std::begin(info.name));
  info.side = older->side;
  std::fill_n(reinterpret_cast<unsigned char*>(&info.mask), sizeof info.mask, 0xff);
  return info;
}

// The address that the list is asked for.
AbstractBytes AskedFor(const xt_recent_mtinfo_v1& info, const Packet& packet) {
  return info.side == XT_RECENT_DEST ? packet.DestinationAddress() : packet.SourceAddress();
}

packet::Wide MaskOf(const xt_recent_mtinfo_v1& info, IpFamily family) {
  const unsigned size = family == IpFamily::kIpv4 ? 4 : 16;
  packet::Wide mask = 0;
  for (const std::byte byte : BytesOf(info.mask).first(size)) {
    mask = (mask << 8) | std::to_integer<unsigned>(byte);
  }
  return mask;
}

// What a list is called among a packet's changed ones when an address was taken out of it.
std::string Removed(std::string_view list) { return "- " + std::string(list); }

// Whether at least `wanted` packets of those that the list has noted count, `fresh` of which this packet has just made.
Tristate HasHits(const xt_recent_mtinfo_v1& info, std::size_t noted, std::size_t fresh) {
  const std::size_t wanted = std::max<std::size_t>(info.hit_count, 1);
  if (noted + fresh < wanted) {
    return Tristate::kNo;
  }
  return info.seconds == 0 || fresh >= wanted ? Tristate::kYes : Tristate::kUnknown;
}

// What the list says of an address of which it has noted so many packets; nothing: it does not have the address.
Tristate Says(const xt_recent_mtinfo_v1& info, std::optional<std::size_t> noted, std::size_t fresh) {
  if (!noted && fresh == 0) {
    return Tristate::kNo;
  }
  if ((info.check_set & XT_RECENT_TTL) != 0) {
    return Tristate::kUnknown;  // only an entry of the same time to live counts
  }
  return (info.check_set & XT_RECENT_REMOVE) != 0 ? Tristate::kYes : HasHits(info, noted.value_or(0), fresh);
}

// The addresses of which the list says something else than of those that it does not have. Nothing: too many ranges.
std::optional<IntervalSet> Singled(const xt_recent_mtinfo_v1& info, const facts::RecentList& list, IpFamily family,
                                   std::size_t fresh) {
  const packet::Wide mask = MaskOf(info, family);
  std::vector<IntervalSet::Interval> singled;
  for (const auto& [address, entry] : list.entries) {
    const packet::Wide number = packet::NumberOf(address);
    const bool is_met = address.Family() == family && (number & mask) == number;
    if (!is_met || Says(info, entry.packets, fresh) == Says(info, std::nullopt, fresh)) {
      continue;
    }
    IntervalSet alike;
    if (!IntervalSet::Masked(mask, number, family == IpFamily::kIpv4 ? 32 : 128, &alike)) {
      return std::nullopt;
    }
    singled.insert(singled.end(), alike.Intervals().begin(), alike.Intervals().end());
  }
  return IntervalSet::Union(std::move(singled));
}

// recent_mt(), without the inversion.
Condition Holds(const xt_recent_mtinfo_v1& info, const Packet& packet, Facts& facts) {
  const auto answer = [](Tristate truth) { return Condition::Of(truth, kList); };
  if ((info.check_set & XT_RECENT_SET) != 0) {
    return answer(Tristate::kYes);
  }
  const std::string list(BoundedText(info.name));
  const auto& changed = packet.changed_lists;
  if (std::find(changed.begin(), changed.end(), Removed(list)) != changed.end()) {
    return answer(Tristate::kUnknown);
  }
  const auto fresh = static_cast<std::size_t>(std::count(changed.begin(), changed.end(), list));
  const AbstractBytes address = AskedFor(info, packet);
  packet::Wide number = 0;
  const bool is_known = KnownNumber(address, &number);
  if (packet.general && !is_known) {
    // No list singles out the representative connection; what this packet has put there itself is there.
    return answer(Says(info, std::nullopt, fresh));
  }
  const facts::Fact* fact = facts.Ask(facts::RecentKey{list});
  const auto* known = fact != nullptr ? fact->As<std::shared_ptr<const facts::RecentList>>() : nullptr;
  if (known == nullptr) {
    return answer(Tristate::kUnknown);
  }
  const auto& entries = (*known)->entries;
  if (is_known) {
    const auto entry = entries.find(packet::AddressOf(number & MaskOf(info, packet.family), packet.family));
    return answer(Says(info, entry != entries.end() ? std::optional(entry->second.packets) : std::nullopt, fresh));
  }
  const auto singled = Singled(info, **known, packet.family, fresh);
  if (!singled) {
    return answer(Tristate::kUnknown);
  }
  if (singled->Empty()) {
    return answer(Says(info, std::nullopt, fresh));
  }
  // Each of them has been noted often enough, so that the list says the same of all.
  const Tristate of_singled = Says(info, std::size_t{info.hit_count} + 1, fresh);
  return Condition::In(address, *singled, packet.family).And(of_singled, kList);
}

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext&, Facts& facts) {
  const auto info = DecodeRecent(match);
  if (!info) {
    return Unreadable();
  }
  return {Holds(*info, packet, facts).Invert(info->invert != 0)};
}

void Change(const XtMatch& match, Packet& packet, const HookContext&) {
  const auto info = DecodeRecent(match);
  if (!info) {
    return;
  }
  if ((info->check_set & (XT_RECENT_SET | XT_RECENT_UPDATE)) != 0) {
    packet.changed_lists.emplace_back(BoundedText(info->name));
  } else if ((info->check_set & XT_RECENT_REMOVE) != 0) {
    packet.changed_lists.push_back(Removed(BoundedText(info->name)));
  }
}

// The tool leaves what was in memory behind the list's name, and between the fields.
Value Identity(const XtMatch& match) {
  Value info = match.info;
  constexpr std::size_t kSide = offsetof(xt_recent_mtinfo_v1, side);
  if (info.size() > kSide) {
    const auto side = info.begin() + kSide;
    std::fill(std::find(info.begin() + offsetof(xt_recent_mtinfo_v1, name), side, std::byte{0}), side, std::byte{0});
    const auto mask = std::min(info.size(), offsetof(xt_recent_mtinfo_v1, mask));
    std::fill(side + 1, info.begin() + static_cast<std::ptrdiff_t>(mask), std::byte{0});
  }
  return info;
}

constexpr Match kMatches[] = {{.name = "recent",
                               .revisions = {0, 1},
                               .traits = {.changes_packet = true},
                               .conditions = Meaning,
                               .change = Change,
                               .identity = Identity}};

}  // namespace

Family families::Recent() { return {.matches = kMatches}; }

}  // namespace finwait::firewall::xt
