#include "collectors/firewall/packet/packet.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace finwait::firewall::packet {
namespace {

void PutEnd(const Endpoint& end, std::span<AbstractByte> address, std::span<AbstractByte> port) {
  const auto bytes = end.address.Bytes();
  for (std::size_t i = 0; i < address.size(); ++i) {
    address[i] = AbstractByte::Known(bytes[i]);
  }
  port[0] = AbstractByte::Known(static_cast<std::uint8_t>(end.port >> 8));
  port[1] = AbstractByte::Known(static_cast<std::uint8_t>(end.port));
}

}  // namespace

std::string_view Name(PacketTracking tracking) {
  switch (tracking) {
    case PacketTracking::kNoEntry:
      return "INVALID";
    case PacketTracking::kTemplate:
    case PacketTracking::kNew:
      return "NEW";
    case PacketTracking::kEstablished:
      return "ESTABLISHED";
    case PacketTracking::kRelated:
      return "RELATED";
    case PacketTracking::kUntracked:
      return "UNTRACKED";
  }
  return "INVALID";
}

AbstractBytes Packet::SourceAddress() const {
  return family == IpFamily::kIpv4 ? AbstractBytes(network).subspan(12, 4) : AbstractBytes(network).subspan(8, 16);
}

AbstractBytes Packet::DestinationAddress() const {
  return family == IpFamily::kIpv4 ? AbstractBytes(network).subspan(16, 4) : AbstractBytes(network).subspan(24, 16);
}

void Packet::PutSource(const Endpoint& end, AddressKind kind) {
  const std::size_t first = family == IpFamily::kIpv4 ? 12 : 8;
  PutEnd(end, std::span(network).subspan(first, SourceAddress().size()), std::span(transport).subspan(0, 2));
  source_kind = kind;
}

void Packet::PutDestination(const Endpoint& end, AddressKind kind) {
  const std::size_t first = family == IpFamily::kIpv4 ? 16 : 24;
  PutEnd(end, std::span(network).subspan(first, DestinationAddress().size()), std::span(transport).subspan(2, 2));
  destination_kind = kind;
}

IntervalSet Packet::Domain(Field field) const {
  const auto found =
      std::find_if(domains.begin(), domains.end(), [&](const auto& domain) { return domain.first == field; });
  return found == domains.end() ? IntervalSet::All(8 * SizeOf(field, family)) : found->second;
}

LastingChanges LastingChanges::TurnedRound() const {
  const auto turn = [](auto& bytes) {
    for (AbstractByte& byte : bytes) {
      switch (byte.field) {
        case Field::kSourceAddress:
          byte.field = Field::kDestinationAddress;
          break;
        case Field::kDestinationAddress:
          byte.field = Field::kSourceAddress;
          break;
        case Field::kSourcePort:
          byte.field = Field::kDestinationPort;
          break;
        case Field::kDestinationPort:
          byte.field = Field::kSourcePort;
          break;
        default:  // another packet has a field of its own there
          byte.field = Field::kNone;
          break;
      }
    }
  };
  LastingChanges turned = *this;
  for (SetChange& change : turned.sets) {
    turn(change.key);
    turn(change.data);
  }
  for (ListChange& change : turned.lists) {
    turn(change.address);
  }
  for (IpsetChange& change : turned.ipsets) {
    turn(change.addresses);
    turn(change.ports);
  }
  return turned;
}

void Packet::Restrict(Field field, IntervalSet domain) {
  if (domain.Intervals().size() > kDomainIntervals && !keeps_domains) {
    return;
  }
  const auto found =
      std::find_if(domains.begin(), domains.end(), [&](const auto& each) { return each.first == field; });
  if (found == domains.end()) {
    domains.emplace_back(field, std::move(domain));
  } else {
    found->second = std::move(domain);
  }
}

bool Packet::SameAs(const Packet& other) const {
  // Domains are in the order in which they were first narrowed; two orders of the same domains count as different,
  // which costs a little work and nothing else.
  if (domains != other.domains) {
    return false;  // what packets of one origin differ in, as a rule
  }
  const bool same_entry =
      entry == other.entry || (entry != nullptr && other.entry != nullptr && *entry == *other.entry);
  return same_entry && zone == other.zone && program == other.program && tracking == other.tracking &&
         mark == other.mark && owner == other.owner && family == other.family && general == other.general &&
         network == other.network && transport == other.transport && priority == other.priority && user == other.user &&
         group == other.group && connection_mark == other.connection_mark && confirmed == other.confirmed &&
         source_kind == other.source_kind && destination_kind == other.destination_kind &&
         destination_translated == other.destination_translated && source_translated == other.source_translated &&
         destination_decided == other.destination_decided && source_decided == other.source_decided &&
         rerouted == other.rerouted && lasting == other.lasting;
}

bool Packet::TakeIn(const Packet& other) {
  if (other.domains.size() != domains.size()) {
    return false;
  }
  std::optional<std::size_t> differing;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    if (other.domains[i] == domains[i]) {
      continue;
    }
    if (differing || other.domains[i].first != domains[i].first) {
      return false;
    }
    differing = i;
  }
  if (!differing) {
    return SameAs(other);
  }
  IntervalSet& domain = domains[*differing].second;
  const IntervalSet own = std::exchange(domain, other.domains[*differing].second);
  const bool same = SameAs(other);
  domain = own;
  if (same) {
    const auto& others = other.domains[*differing].second.Intervals();
    std::vector<IntervalSet::Interval> all = domain.Intervals();
    all.insert(all.end(), others.begin(), others.end());
    IntervalSet both = IntervalSet::Union(std::move(all));
    if (both.Intervals().size() > kDomainIntervals && !keeps_domains) {
      return false;
    }
    domain = std::move(both);
  }
  return same;
}

}  // namespace finwait::firewall::packet
