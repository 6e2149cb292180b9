// -m set and -j SET: ipsets, whose contents are no part of the ruleset. An element is made of the packet as the set's
// type says (the kadt function of each), and asked for.
#include <linux/netfilter/xt_set.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/xt/ipset_conditions.h"
#include "collectors/firewall/xt/ipset_match.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
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
  ElementOf(const IpsetMatch& match, const Packet& packet, const HookContext& context)
      : match_(match), packet_(packet), context_(context) {}

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
    if (component == "mac") {  // without a link-layer header nothing is hit
      return context_.has_link_header && !packet_.general ? Tristate::kUnknown : Tristate::kNo;
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
};

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext& context, Facts& facts) {
  const auto decoded = DecodeIpsetMatch(match);
  if (!decoded) {
    return Unreadable();
  }
  const facts::Ipset* set = facts.FindIpset(decoded->set.index);
  if (set == nullptr) {
    return {Condition::Of(Tristate::kUnknown, kWhatUnreadIpset)};
  }
  // A rule before this one may have changed what it asks for.
  const auto& changed = packet.lasting.ipsets;
  const bool as_it_was = (set->members.empty() || changed.empty()) &&
                         std::find(changed.begin(), changed.end(), decoded->set.index) == changed.end();
  if (!as_it_was) {
    return {Condition::Of(Tristate::kUnknown, WhatItHolds(*set))};
  }
  const ElementOf element(*decoded, packet, context);
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
    found = packet::Or(found, made == Tristate::kYes ? facts.IsInIpset(key) : made);
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
  if (decoded->counted && found != Tristate::kNo) {
    found = Tristate::kUnknown;
  }
  return {Condition::Of(found, WhatItHolds(*set)).Invert(inverted)};
}

// Whether --map-set may give the packet an element's mark or priority (revision 3, set_target_v3()).
bool Maps(const XtTarget& target) {
  if (target.revision < 3) {
    return false;
  }
  const auto info = ReadAs<xt_set_info_target_v3>(target.info);
  return !info || info->map_set.index != IPSET_INVALID_ID;
}

// The sets that --add-set and --del-set change.
std::vector<std::uint16_t> ChangedBy(const XtTarget& target) {
  std::vector<std::uint16_t> changed;
  const auto info = ReadAs<xt_set_info_target_v1>(target.info);
  if (target.revision > 0 && info) {
    for (const xt_set_info& set : {info->add_set, info->del_set}) {
      if (set.index != IPSET_INVALID_ID) {
        changed.push_back(set.index);
      }
    }
  }
  return changed;
}

Effect Apply(const XtTarget& target, Packet& packet, const HookContext&) {
  if (Maps(target)) {
    packet.mark = AbstractNumber<4>::Unknown();
    packet.priority = AbstractNumber<4>::Unknown();
  }
  for (const std::uint16_t index : ChangedBy(target)) {
    std::vector<std::uint16_t>& changed = packet.lasting.ipsets;
    if (std::find(changed.begin(), changed.end(), index) == changed.end()) {
      changed.push_back(index);
    }
  }
  return {};
}

Traits TraitsOfSet(const XtTarget& target) {
  const bool changes_sets = !ChangedBy(target).empty();
  return {.changes_packet = Maps(target) || changes_sets, .changes_sets = changes_sets, .names_ipset = true};
}

constexpr Match kMatches[] = {
    {.name = "set", .revisions = kAnyRevision, .traits = {.names_ipset = true}, .conditions = Meaning}};

constexpr Target kTargets[] = {{.name = "SET",
                                .revisions = kAnyRevision,
                                .traits = {.changes_packet = true, .changes_sets = true, .names_ipset = true},
                                .apply = Apply,
                                .traits_of = TraitsOfSet}};

}  // namespace

Family families::Set() { return {.matches = kMatches, .targets = kTargets}; }

}  // namespace finwait::firewall::xt
