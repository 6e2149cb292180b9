// -m set and -j SET: ipsets, whose contents are no part of the ruleset. An element is made of the packet as the set's
// type says (the kadt function of each), and asked for.
#include <linux/if_arp.h>
#include <linux/netfilter/xt_set.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/firewall/xt/ipset_conditions.h"
#include "collectors/firewall/xt/ipset_match.h"
#include "collectors/firewall/xt/neighbour_address.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace set {
namespace {

std::string WhatItHolds(const facts::Ipset& set) { return std::string(kWhatIpset) + set.name + " holds"; }

// "hash:net,port" is made of "net" and "port".
std::vector<std::string_view> ComponentsOf(std::string_view type) {
  std::vector<std::string_view> components;
  std::string_view rest = type.substr(std::min(type.find(':'), type.size() - 1) + 1);
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    components.push_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return components;
}

// One element, made of a packet.
class ElementOf {
 public:
  ElementOf(const IpsetMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts)
      : match_(match), packet_(packet), context_(context), facts_(facts) {}

  // kNo: the packet has no such element, whatever the set holds. kUnknown: what it is cannot be known.
  Tristate Make(const facts::Ipset& set, facts::IpsetElementKey* key) const {
    const std::vector<std::string_view> components = ComponentsOf(set.type);
    // ip_set_test(): a rule has to name a direction for each.
    if (match_.set.dim < components.size() || (set.family && *set.family != packet_.family)) {
      return Tristate::kNo;
    }
    key->set = set.name;
    key->excluded = match_.excluded && set.type.find("net") != std::string::npos;  // IPSET_TYPE_NOMATCH
    Tristate made = Tristate::kYes;
    for (std::size_t i = 0; i < components.size(); ++i) {
      const bool source = (match_.set.flags & (IPSET_DIM_ONE_SRC << i)) != 0;
      made = packet::And(made, Put(components[i], source, key));
    }
    return made;
  }

  // What decides about it whatever the packet's open fields are: nothing where that hangs on more than they tell.
  std::optional<IpsetElement> Open(const facts::Ipset& set) const {
    IpsetElement element;
    element.family = packet_.family;
    const std::vector<std::string_view> components = ComponentsOf(set.type);
    for (std::size_t i = 0; i < components.size(); ++i) {
      const bool source = (match_.set.flags & (IPSET_DIM_ONE_SRC << i)) != 0;
      if (components[i] == "ip" || components[i] == "net") {
        (element.address.empty() ? element.address : element.second_address) =
            source ? packet_.SourceAddress() : packet_.DestinationAddress();
      } else if (components[i] == "port") {
        element.port = source ? packet_.SourcePort() : packet_.DestinationPort();
      } else if (components[i] == "mark") {
        element.mark = packet_.mark.bytes;
      } else if (components[i] == "iface") {
        facts::IpsetElementKey key;
        if (PutDevice(source ? context_.in : context_.out, &key) != Tristate::kYes) {
          return std::nullopt;
        }
        element.device = key.device;
      } else {
        return std::nullopt;
      }
    }
    return element;
  }

 private:
  Tristate Put(std::string_view component, bool source, facts::IpsetElementKey* key) const {
    if (component == "ip" || component == "net") {
      return PutAddress(source ? packet_.SourceAddress() : packet_.DestinationAddress(),
                        key->address ? &key->second_address : &key->address);
    }
    packet::Wide number = 0;
    if (component == "port") {
      const AbstractBytes port = source ? packet_.SourcePort() : packet_.DestinationPort();
      if (!KnownNumber(port, &number)) {
        return NotKnown(port);
      }
      key->port = static_cast<std::uint16_t>(number);
      return Tristate::kYes;
    }
    if (component == "mark") {
      if (!KnownNumber(packet_.mark.bytes, &number)) {
        return NotKnown(packet_.mark.bytes);
      }
      key->mark = static_cast<std::uint32_t>(number);
      return Tristate::kYes;
    }
    if (component == "iface") {
      return PutDevice(source ? context_.in : context_.out, key);
    }
    if (component == "mac") {
      return PutHardwareAddress(source, key);
    }
    return Tristate::kUnknown;  // a component that this version does not know
  }

  Tristate PutAddress(AbstractBytes address, std::optional<IpAddress>* place) const {
    std::vector<std::byte> bytes;
    for (const AbstractByte& byte : address) {
      if (!byte.IsKnown()) {
        return NotKnown(address);
      }
      bytes.push_back(std::byte{byte.value});
    }
    *place = IpAddress::FromBytes(bytes);
    return Tristate::kYes;
  }

  Tristate PutDevice(const packet::DeviceView& device, facts::IpsetElementKey* key) const {
    if (!device.present) {
      return Tristate::kNo;
    }
    for (const AbstractByte& byte : device.name.bytes) {
      if (!byte.IsKnown()) {
        return NotKnown(device.name.bytes);
      }
      if (byte.value != 0) {
        key->device += static_cast<char>(byte.value);
      }
    }
    return key->device.empty() ? Tristate::kNo : Tristate::kYes;
  }

  // Without a link-layer header nothing is hit. An address that is not known is left out: that of a member may be, too.
  Tristate PutHardwareAddress(bool source, facts::IpsetElementKey* key) const {
    if (!context_.has_link_header || packet_.general) {
      return Tristate::kNo;
    }
    packet::Wide type = 0;
    if (!source || !KnownNumber(context_.in.type.bytes, &type) || type != ARPHRD_ETHER) {
      return Tristate::kUnknown;
    }
    const AbstractNumber<6> address = SourceHardwareAddress(packet_, context_, facts_);
    if (packet::Wide number = 0; KnownNumber(address.bytes, &number)) {
      key->hardware_address.emplace();
      std::transform(address.bytes.begin(), address.bytes.end(), key->hardware_address->begin(),
                     [](const AbstractByte& byte) { return byte.value; });
    }
    return Tristate::kYes;
  }

  // No list singles out the representative connection.
  Tristate NotKnown(AbstractBytes bytes) const {
    const bool general = packet_.general && std::all_of(bytes.begin(), bytes.end(), [](const AbstractByte& byte) {
                           return byte.IsKnown() || TellsConnectionsApart(byte.field);
                         });
    return general ? Tristate::kNo : Tristate::kUnknown;
  }

  const IpsetMatch& match_;
  const Packet& packet_;
  const HookContext& context_;
  FactLookup& facts_;
};

// Whether what is counted of an element, now or by the time that the packet comes, is as a rule asks. It only grows:
// what is far below a limit stays so for as long as an answer is for.
Tristate HasCount(const ip_set_counter_match& asked, std::uint64_t now, std::uint64_t margin) {
  const bool above = now > asked.value;
  const bool far_below = asked.value > margin && now <= (asked.value - margin) / 4;
  switch (asked.op) {
    case IPSET_COUNTER_NONE:
      return Tristate::kYes;
    case IPSET_COUNTER_EQ:
      return above || far_below ? Tristate::kNo : Tristate::kUnknown;
    case IPSET_COUNTER_NE:
      return above || far_below ? Tristate::kYes : Tristate::kUnknown;
    case IPSET_COUNTER_LT:
      return now >= asked.value ? Tristate::kNo : far_below ? Tristate::kYes : Tristate::kUnknown;
    case IPSET_COUNTER_GT:
      return above ? Tristate::kYes : far_below ? Tristate::kNo : Tristate::kUnknown;
    default:
      return Tristate::kUnknown;
  }
}

// ip_set_match_extensions(), of an element that the set has.
Tristate HasCounts(const IpsetMatch& asked, const facts::Ipset& set, const facts::IpsetElementKey& element,
                   FactLookup& facts) {
  constexpr std::uint64_t kPackets = 1000;
  constexpr std::uint64_t kBytes = 1'500'000;
  const facts::Fact* fact = facts.Ask(facts::IpsetExtensionsKey{element});
  const auto* kept = fact != nullptr ? fact->As<facts::IpsetExtensions>() : nullptr;
  if (kept == nullptr) {
    return Tristate::kUnknown;
  }
  if (!kept->counts) {
    return Tristate::kYes;
  }
  const Tristate counts =
      packet::And(HasCount(asked.packets, kept->packets, kPackets), HasCount(asked.bytes, kept->bytes, kBytes));
  // A shorter prefix may have its own counters, and is looked at where those of a longer one are not as asked for.
  const bool several = set.type.find("net") != std::string::npos;
  return counts == Tristate::kNo && several ? Tristate::kUnknown : counts;
}

// Whether the element that a rule changed is the one that another rule asks for, by the parts of which elements of the
// set's type are made. Different addresses may be one element (`netmask`), different ports never are.
Tristate IsSameElement(const packet::IpsetChange& change, const xt_set_info& asked, const facts::Ipset& set,
                       const Packet& packet) {
  const std::vector<std::string_view> components = ComponentsOf(set.type);
  if (change.dimensions < components.size()) {
    return Tristate::kNo;  // ip_set_add() refuses
  }
  Tristate same = Tristate::kYes;
  for (std::size_t i = 0; i < components.size(); ++i) {
    const auto of_source = [&](unsigned flags) { return (flags & (IPSET_DIM_ONE_SRC << i)) != 0; };
    const bool changed_source = of_source(change.from_source);
    AbstractBytes changed;
    AbstractBytes now;
    if (components[i] == "ip") {
      const std::size_t size = change.addresses.size() / 2;
      changed = AbstractBytes(change.addresses).subspan(changed_source ? 0 : size, size);
      now = of_source(asked.flags) ? packet.SourceAddress() : packet.DestinationAddress();
    } else if (components[i] == "port") {
      changed = AbstractBytes(change.ports).subspan(changed_source ? 0 : 2, 2);
      now = of_source(asked.flags) ? packet.SourcePort() : packet.DestinationPort();
    } else {
      return Tristate::kUnknown;
    }
    const bool known = std::none_of(
        now.begin(), now.end(), [](const AbstractByte& byte) { return !byte.IsKnown() && byte.field == Field::kNone; });
    const bool equal = known && std::equal(now.begin(), now.end(), changed.begin(), changed.end());
    const bool differs = !std::equal(
        now.begin(), now.end(), changed.begin(), changed.end(),
        [](const AbstractByte& a, const AbstractByte& b) { return ((a.value ^ b.value) & a.known & b.known) == 0; });
    if (differs && components[i] == "port") {
      return Tristate::kNo;
    }
    same = equal ? same : Tristate::kUnknown;
  }
  return same;
}

// What is known of the element that a rule asks for from what rules before it have changed; nothing: they have not
// changed it.
std::optional<Tristate> OwnChange(const IpsetMatch& asked, const facts::Ipset& set, const Packet& packet,
                                  const HookContext& context, FactLookup& facts) {
  const auto& changes = packet.lasting.ipsets;
  if (!set.members.empty() && !changes.empty()) {
    return Tristate::kUnknown;
  }
  if ((set.family && *set.family != packet.family) || asked.set.dim < ComponentsOf(set.type).size()) {
    return std::nullopt;  // it has no element of this packet's
  }
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    if (change->set != asked.set.index) {
      const facts::Ipset* other = facts.FindIpset(change->set);
      if (other == nullptr || other->type == "list:set") {
        return Tristate::kUnknown;  // what is put into a list goes into one of its members
      }
      continue;
    }
    const Tristate same = IsSameElement(*change, asked.set, set, packet);
    if (same == Tristate::kNo) {
      continue;
    }
    // A bitmap has a range, and elements of other hashes are made of more than the packet's addresses and ports.
    if (same == Tristate::kUnknown || asked.counted || !set.type.starts_with("hash:")) {
      return Tristate::kUnknown;
    }
    if (!change->there) {
      return Tristate::kNo;
    }
    const facts::Fact* fact = facts.Ask(facts::IpsetRoomKey{set.name});
    const bool* room = fact != nullptr ? fact->As<bool>() : nullptr;
    if (room != nullptr && *room) {
      return Tristate::kYes;
    }
    facts::IpsetElementKey key;
    const bool was_there = ElementOf(asked, packet, context, facts).Make(set, &key) == Tristate::kYes &&
                           facts.IsInIpset(key) == Tristate::kYes;
    return was_there ? Tristate::kYes : Tristate::kUnknown;
  }
  return std::nullopt;
}

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts) {
  const auto decoded = DecodeIpsetMatch(match);
  if (!decoded) {
    return Unreadable();
  }
  const facts::Ipset* set = facts.FindIpset(decoded->set.index);
  if (set == nullptr) {
    return {Condition::Of(Tristate::kUnknown, kWhatUnreadIpset)};
  }
  // A rule before this one may have changed what it asks for.
  if (const auto changed = OwnChange(*decoded, *set, packet, context, facts)) {
    const bool inverted = (decoded->set.flags & IPSET_INV_MATCH) != 0;
    return {Condition::Of(*changed, WhatItHolds(*set)).Invert(inverted)};
  }
  const ElementOf element(*decoded, packet, context, facts);
  const bool inverted = (decoded->set.flags & IPSET_INV_MATCH) != 0;
  Tristate found = Tristate::kNo;
  std::vector<const facts::Ipset*> open;  // that hold the packet's element or not, as its open fields are
  const auto ask = [&](const facts::Ipset& one) {
    facts::IpsetElementKey key;
    const Tristate made = element.Make(one, &key);
    if (made == Tristate::kUnknown) {
      open.push_back(&one);
      return;
    }
    Tristate has = made == Tristate::kYes ? facts.IsInIpset(key) : made;
    if (has == Tristate::kYes && decoded->counted && set->type != "list:set") {
      has = HasCounts(*decoded, one, key, facts);
    }
    found = packet::Or(found, has);
  };
  if (set->type == "list:set") {
    std::for_each(set->members.begin(), set->members.end(), ask);
  } else {
    ask(*set);
  }
  if (found == Tristate::kNo && open.size() == 1 && !decoded->counted && !packet.general) {
    const auto fields = element.Open(*open.front());
    const auto* contents = fields ? facts.FindIpsetContents(open.front()->name) : nullptr;
    if (contents != nullptr) {
      const bool excluding = decoded->excluded && open.front()->type.find("net") != std::string::npos;
      if (auto conditions = ConditionsOfIpset(*contents, *fields, excluding, inverted)) {
        return *std::move(conditions);
      }
    }
  }
  found = open.empty() ? found : packet::Or(found, Tristate::kUnknown);
  if (decoded->counted && set->type == "list:set" && found != Tristate::kNo) {  // counts its members' hits
    found = Tristate::kUnknown;
  }
  return {Condition::Of(found, WhatItHolds(*set)).Invert(inverted)};
}

// What --map-set gives the packet of an element's (revision 3).
std::optional<xt_set_info_target_v3> MappingOf(const XtTarget& target) {
  auto info = target.revision < 3 ? std::nullopt : ReadAs<xt_set_info_target_v3>(target.info);
  return info && info->map_set.index != IPSET_INVALID_ID ? info : std::nullopt;
}

// The sets that --add-set and --del-set change, in the order in which they do (set_target_v1()).
std::vector<std::pair<xt_set_info, bool>> ChangedBy(const XtTarget& target) {
  std::vector<std::pair<xt_set_info, bool>> changed;
  const auto info = ReadAs<xt_set_info_target_v1>(target.info);
  if (target.revision > 0 && info) {
    for (const auto& [set, there] : {std::pair(info->add_set, true), std::pair(info->del_set, false)}) {
      if (set.index != IPSET_INVALID_ID) {
        changed.emplace_back(set, there);
      }
    }
  }
  return changed;
}

void ApplyChanges(const XtTarget& target, Packet& packet) {
  for (const auto& [set, there] : ChangedBy(target)) {
    packet::IpsetChange change;
    change.set = set.index;
    change.dimensions = set.dim;
    change.from_source = set.flags;
    for (const AbstractBytes address : {packet.SourceAddress(), packet.DestinationAddress()}) {
      change.addresses.insert(change.addresses.end(), address.begin(), address.end());
    }
    std::copy_n(packet.transport.begin(), change.ports.size(), change.ports.begin());
    change.there = there;
    // Of changes to one set for the same packet the newest count; a rule that many packets reach adds no end of them.
    std::vector<packet::IpsetChange>& changes = packet.lasting.ipsets;
    packet::IpsetChange opposite = change;
    opposite.there = !there;
    std::erase_if(changes, [&](const packet::IpsetChange& each) { return each == change || each == opposite; });
    changes.push_back(std::move(change));
  }
}

// Whether a set has the packet's element and, where it does, what it keeps beside it.
Tristate FindMapped(const xt_set_info& asked, const Packet& packet, const HookContext& context, FactLookup& facts,
                    facts::IpsetExtensions* kept) {
  IpsetMatch match;
  match.set = asked;
  const facts::Ipset* set = facts.FindIpset(asked.index);
  if (set == nullptr || set->type == "list:set" || (asked.flags & IPSET_INV_MATCH) != 0) {
    return Tristate::kUnknown;  // of a list, a member's extensions or the list's own
  }
  if (const auto changed = OwnChange(match, *set, packet, context, facts)) {
    return *changed == Tristate::kNo ? Tristate::kNo : Tristate::kUnknown;  // --exist puts others beside it
  }
  facts::IpsetElementKey key;
  const Tristate made = ElementOf(match, packet, context, facts).Make(*set, &key);
  const Tristate has = made == Tristate::kYes ? facts.IsInIpset(key) : made;
  if (has != Tristate::kYes) {
    return has;
  }
  const facts::Fact* fact = facts.Ask(facts::IpsetExtensionsKey{key});
  const auto* found = fact != nullptr ? fact->As<facts::IpsetExtensions>() : nullptr;
  if (found == nullptr) {
    return Tristate::kUnknown;
  }
  *kept = *found;
  return Tristate::kYes;
}

// set_target_v3(): the element is looked for once the other sets are changed. No rule asks for a packet's queue.
Effect Apply(const XtTarget& target, Packet& packet, const HookContext& context, FactLookup& facts) {
  if (target.revision >= 3 && !ReadAs<xt_set_info_target_v3>(target.info)) {
    return Effect::Unknown("a SET target of a form not known to this version");
  }
  ApplyChanges(target, packet);
  const auto mapping = MappingOf(target);
  facts::IpsetExtensions kept;
  const Tristate found = mapping ? FindMapped(mapping->map_set, packet, context, facts, &kept) : Tristate::kNo;
  if (found == Tristate::kNo) {
    return {};
  }
  const bool known = found == Tristate::kYes;
  if ((mapping->flags & IPSET_FLAG_MAP_SKBMARK) != 0) {
    packet.mark = known ? Marked(packet.mark, kept.mark_mask, kept.mark) : AbstractNumber<4>::Unknown();
  }
  if ((mapping->flags & IPSET_FLAG_MAP_SKBPRIO) != 0) {
    packet.priority = known ? AbstractNumber<4>::Known(kept.priority) : AbstractNumber<4>::Unknown();
  }
  return {};
}

Traits TraitsOfSet(const XtTarget& target) {
  const bool changes_sets = !ChangedBy(target).empty();
  return {.changes_packet = MappingOf(target) || changes_sets, .changes_sets = changes_sets, .names_ipset = true};
}

constexpr Match kMatches[] = {
    {.name = "set", .revisions = kAnyRevision, .traits = {.names_ipset = true}, .conditions = Meaning}};

constexpr Target kTargets[] = {{.name = "SET",
                                .revisions = kAnyRevision,
                                .traits = {.changes_packet = true, .changes_sets = true, .names_ipset = true},
                                .apply_with_facts = Apply,
                                .traits_of = TraitsOfSet}};

}  // namespace
}  // namespace set

Family families::Set() { return {.matches = set::kMatches, .targets = set::kTargets}; }

}  // namespace finwait::firewall::xt
