#include "collectors/firewall/eval/packet_routing.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace finwait::firewall::eval {
namespace {

std::optional<std::uint16_t> KnownPort(AbstractBytes bytes) {
  Wide port = 0;
  return KnownNumber(bytes, &port) ? std::optional(static_cast<std::uint16_t>(port)) : std::nullopt;
}

std::optional<IpAddress> KnownAddress(AbstractBytes address) {
  std::vector<std::byte> bytes;
  for (const AbstractByte& byte : address) {
    if (!byte.IsKnown()) {
      return std::nullopt;
    }
    bytes.push_back(std::byte{byte.value});
  }
  return IpAddress::FromBytes(bytes);
}

bool LeavesUntouched(const Packet& before, const Packet& after) {
  return before.network == after.network && before.mark == after.mark;
}

}  // namespace

void ClearDevices(Packet& packet, Field first, Field last) {
  std::erase_if(packet.domains, [&](const auto& each) { return each.first >= first && each.first <= last; });
}

std::optional<facts::RouteKey> PacketRouting::WithMarks(facts::RouteKey key, const Packet& packet) const {
  key.mark = 0;
  key.type_of_service = 0;
  if (settings_.routes_by_mark != Tristate::kNo) {
    Wide mark = 0;
    if (!KnownNumber(packet.mark.bytes, &mark)) {
      return std::nullopt;
    }
    key.mark = static_cast<std::uint32_t>(mark);
  }
  if (settings_.routes_by_type_of_service != Tristate::kNo) {
    Wide service = 0;
    // IPv6's lies across two bytes, and rules of routing that ask for it are rarer still.
    if (packet.family == IpFamily::kIpv6 || !KnownNumber(AbstractBytes(packet.network).subspan(1, 1), &service)) {
      return std::nullopt;
    }
    key.type_of_service = static_cast<std::uint8_t>(service) & facts::RouteKey::kWithoutEcn;
  }
  return key;
}

PacketRouting::Destination PacketRouting::RouteArrival(const Interface& in, Packet& packet) const {
  if (!connection_.routing || connection_.passage.bridged) {
    return Destination::kElsewhere;
  }
  const auto source = KnownAddress(packet.SourceAddress());
  const auto destination = KnownAddress(packet.DestinationAddress());
  packet.rerouted = true;
  if (facts_ == nullptr || !source || !destination || !in.index) {
    return Destination::kElsewhere;
  }
  facts::RouteKey unmarked;
  unmarked.source = source;
  unmarked.destination = *destination;
  unmarked.arriving_on = *in.index;
  if (settings_.routes_by_ports != Tristate::kNo) {
    unmarked.source_port = KnownPort(packet.SourcePort());
    unmarked.destination_port = KnownPort(packet.DestinationPort());
  }
  const auto key = WithMarks(unmarked, packet);
  const facts::Fact* fact = key ? facts_->Find(*key) : nullptr;
  if (fact == nullptr) {
    return Destination::kElsewhere;
  }
  if (fact->IsAbsent()) {
    return Destination::kNowhere;
  }
  if (const auto* route = fact->As<std::shared_ptr<const facts::Route>>()) {
    packet.new_route = *route;
  }
  return packet.new_route != nullptr && packet.new_route->local ? Destination::kThisHost : Destination::kElsewhere;
}

PacketRouting::Destination PacketRouting::Reroute(const Packet& before, Packet& packet) const {
  if (LeavesUntouched(before, packet)) {
    return Destination::kElsewhere;
  }
  const bool addresses =
      !std::equal(before.SourceAddress().begin(), before.SourceAddress().end(), packet.SourceAddress().begin()) ||
      !std::equal(before.DestinationAddress().begin(), before.DestinationAddress().end(),
                  packet.DestinationAddress().begin());
  if (!addresses && settings_.routes_by_mark == Tristate::kNo && settings_.routes_by_type_of_service == Tristate::kNo) {
    return Destination::kElsewhere;
  }
  packet.rerouted = true;
  packet.new_route = nullptr;
  // What was known of the device that it was going to says nothing of the new one.
  ClearDevices(packet, Field::kOutName, Field::kOutKind);
  const facts::Fact* fact = RouteOf(packet);
  if (fact != nullptr && fact->IsAbsent()) {
    return connection_.as_if_routed ? Destination::kElsewhere : Destination::kNowhere;
  }
  if (const auto* route = fact != nullptr ? fact->As<std::shared_ptr<const facts::Route>>() : nullptr) {
    packet.new_route = *route;
    return Destination::kElsewhere;
  }
  // Classes of connections are those that have a route.
  const bool has_one = packet.general || connection_.within != nullptr || connection_.as_if_routed ||
                       settings_.routes_everything == Tristate::kYes;
  return has_one ? Destination::kElsewhere : Destination::kMaybeNowhere;
}

// ip_route_me_harder() routes by addresses, mark, type of service, bound device and user; not by protocol and ports.
const facts::Fact* PacketRouting::RouteOf(const Packet& packet) const {
  const auto destination = KnownAddress(packet.DestinationAddress());
  if (facts_ == nullptr || !connection_.routing || !destination) {
    return nullptr;
  }
  facts::RouteKey unmarked = *connection_.routing;
  unmarked.destination = *destination;
  unmarked.source_port.reset();
  unmarked.destination_port.reset();
  const auto key = WithMarks(unmarked, packet);
  return key ? facts_->Find(*key) : nullptr;
}

}  // namespace finwait::firewall::eval
