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
namespace recent {
namespace {

constexpr std::string_view kList = "a list of recent addresses";
constexpr std::string_view kOneOfMasks =
    "a list of recent addresses whose rules have different masks: that of the rule loaded first counts";

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

// Whether two addresses, known or not, are the same under the mask of the list's.
Tristate IsSame(AbstractBytes one, AbstractBytes other, std::span<const std::byte> mask) {
  Tristate same = Tristate::kYes;
  for (std::size_t i = 0; i < one.size() && i < other.size() && i < mask.size(); ++i) {
    const unsigned asked = std::to_integer<unsigned>(mask[i]);
    const unsigned known = one[i].known & other[i].known & asked;
    if (((one[i].value ^ other[i].value) & known) != 0) {
      return Tristate::kNo;
    }
    const bool is_one_field = one[i] == other[i] && one[i].field != Field::kNone;
    if (known != asked && !is_one_field) {
      same = Tristate::kUnknown;
    }
  }
  return one.size() == other.size() ? same : Tristate::kNo;
}

// How many packets of that address this connection's have had noted, this one included; nothing: that cannot be known.
// `there`: whether the list had the address before.
std::optional<std::size_t> NotedNow(const xt_recent_mtinfo_v1& info, AbstractBytes address, const Packet& packet,
                                    Tristate there) {
  std::size_t noted = 0;
  for (const packet::ListChange& change : packet.lasting.lists) {
    if (change.list != BoundedText(info.name)) {
      continue;
    }
    const Tristate same = IsSame(change.address, address, BytesOf(info.mask));
    if (same == Tristate::kNo) {
      continue;
    }
    if (change.kind == packet::ListChange::Kind::kMaybe && there == Tristate::kNo && noted == 0) {
      continue;  // it notes no address that the list does not have
    }
    if (same == Tristate::kUnknown || change.kind != packet::ListChange::Kind::kNoted) {
      return std::nullopt;
    }
    ++noted;
  }
  return noted;
}

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

// Whether rules of the list have different masks. The list has one, that of the rule by which it was made, and nothing
// tells which that was (recent_mt_check()).
bool MasksDiffer(const xt_recent_mtinfo_v1& info, FactLookup& facts) {
  const auto matches = facts.MatchesOf("recent");
  return std::any_of(matches.begin(), matches.end(), [&](const XtMatch* match) {
    const auto other = DecodeRecent(*match);
    return other && BoundedText(other->name) == BoundedText(info.name) &&
           !std::ranges::equal(other->mask.all, info.mask.all);
  });
}

// recent_mt(), without the inversion.
Condition Holds(const xt_recent_mtinfo_v1& info, const Packet& packet, FactLookup& facts) {
  const auto answer = [](Tristate truth) { return Condition::Of(truth, kList); };
  if ((info.check_set & XT_RECENT_SET) != 0) {
    return answer(Tristate::kYes);
  }
  if (MasksDiffer(info, facts)) {
    return Condition::Of(Tristate::kUnknown, kOneOfMasks);
  }
  const std::string list(BoundedText(info.name));
  const AbstractBytes address = AskedFor(info, packet);
  packet::Wide number = 0;
  const bool is_known = KnownNumber(address, &number);
  if (packet.general && !is_known) {
    // No list singles out the representative connection; what this packet has put there itself is there.
    const auto fresh = NotedNow(info, address, packet, Tristate::kNo);
    return answer(fresh ? Says(info, std::nullopt, *fresh) : Tristate::kUnknown);
  }
  const facts::Fact* fact = facts.Ask(facts::RecentKey{list});
  const auto* known = fact != nullptr ? fact->As<std::shared_ptr<const facts::RecentList>>() : nullptr;
  if (known == nullptr) {
    return answer(Tristate::kUnknown);
  }
  const auto& entries = (*known)->entries;
  if (is_known) {
    const auto entry = entries.find(packet::AddressOf(number & MaskOf(info, packet.family), packet.family));
    const bool there = entry != entries.end();
    const auto fresh = NotedNow(info, address, packet, TristateOf(there));
    return answer(fresh ? Says(info, there ? std::optional(entry->second.packets) : std::nullopt, *fresh)
                        : Tristate::kUnknown);
  }
  const auto noted_now = NotedNow(info, address, packet, Tristate::kUnknown);
  if (!noted_now) {
    return answer(Tristate::kUnknown);
  }
  const std::size_t fresh = *noted_now;
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

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext&, FactLookup& facts) {
  const auto info = DecodeRecent(match);
  if (!info) {
    return Unreadable();
  }
  return {Holds(*info, packet, facts).Invert(info->invert != 0)};
}

// recent_mt(): --set notes whatever it answers, --remove forgets what it has found, and --update notes where the answer
// is yes after the inversion and the address is there: inverted, that may be so or not.
void Change(const XtMatch& match, Packet& packet, const HookContext&, bool matched) {
  const auto info = DecodeRecent(match);
  if (!info) {
    return;
  }
  using Kind = packet::ListChange::Kind;
  const bool inverted = info->invert != 0;
  std::optional<Kind> change;
  if ((info->check_set & XT_RECENT_SET) != 0) {
    change = Kind::kNoted;
  } else if ((info->check_set & XT_RECENT_REMOVE) != 0 && matched != inverted) {
    change = Kind::kForgot;
  } else if ((info->check_set & XT_RECENT_UPDATE) != 0 && matched) {
    change = inverted ? Kind::kMaybe : Kind::kNoted;
  }
  if (change) {
    const AbstractBytes address = AskedFor(*info, packet);
    packet.lasting.lists.push_back({std::string(BoundedText(info->name)), {address.begin(), address.end()}, *change});
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
                               .traits = {.changes_packet = true, .changes_sets = true},
                               .conditions = Meaning,
                               .change = Change,
                               .identity = Identity}};

}  // namespace
}  // namespace recent

Family families::Recent() { return {.matches = recent::kMatches}; }

}  // namespace finwait::firewall::xt
