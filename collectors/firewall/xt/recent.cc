// -m recent: lists of addresses that rules fill. What one holds is read; when its packets came, in the kernel's own
// time, is not.
#include <linux/netfilter.h>
#include <linux/netfilter/xt_recent.h>

#include <algorithm>
#include <string>
#include <vector>

#include "collectors/firewall/model/value_text.h"
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
std::optional<IpAddress> AskedFor(const xt_recent_mtinfo_v1& info, const Packet& packet) {
  const AbstractBytes address = info.side == XT_RECENT_DEST ? packet.DestinationAddress() : packet.SourceAddress();
  const std::span<const std::byte> mask = BytesOf(info.mask);
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (!address[i].IsKnown()) {
      return std::nullopt;
    }
    bytes.push_back(std::byte{address[i].value} & mask[i]);
  }
  return IpAddress::FromBytes(bytes);
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

// recent_mt(), without the inversion.
Tristate Holds(const xt_recent_mtinfo_v1& info, const Packet& packet, Facts& facts) {
  if ((info.check_set & XT_RECENT_SET) != 0) {
    return Tristate::kYes;
  }
  const std::string list(BoundedText(info.name));
  const auto& changed = packet.changed_lists;
  if (std::find(changed.begin(), changed.end(), Removed(list)) != changed.end()) {
    return Tristate::kUnknown;
  }
  const auto fresh = static_cast<std::size_t>(std::count(changed.begin(), changed.end(), list));
  const auto address = AskedFor(info, packet);
  if (!address) {
    // No list singles out the representative connection; what this packet has put there itself is there.
    return packet.general && fresh == 0 ? Tristate::kNo : Tristate::kUnknown;
  }
  const facts::Fact* fact = facts.Ask(facts::RecentKey{list, *address});
  if (fact == nullptr || fact->Why() != nullptr) {
    return Tristate::kUnknown;
  }
  const auto* entry = fact->As<facts::RecentEntry>();
  if (entry == nullptr && fresh == 0) {
    return Tristate::kNo;
  }
  if ((info.check_set & XT_RECENT_TTL) != 0) {
    return Tristate::kUnknown;  // only an entry of the same time to live counts
  }
  if ((info.check_set & XT_RECENT_REMOVE) != 0) {
    return Tristate::kYes;
  }
  return HasHits(info, entry != nullptr ? entry->packets : 0, fresh);
}

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext&, Facts& facts) {
  const auto info = DecodeRecent(match);
  if (!info) {
    return Unreadable();
  }
  return {Condition::Of(Holds(*info, packet, facts), kList).Invert(info->invert != 0)};
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

constexpr Match kMatches[] = {{.name = "recent",
                               .revisions = {0, 1},
                               .traits = {.changes_packet = true},
                               .conditions = Meaning,
                               .change = Change}};

}  // namespace

Family families::Recent() { return {.matches = kMatches}; }

}  // namespace finwait::firewall::xt
