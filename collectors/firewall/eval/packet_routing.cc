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

PacketRouting::Destination PacketRouting::RouteArrival(const Interface& in, Packet& packet) const {
  if (!connection_.routing || connection_.passage.bridged) {
    return Destination::kElsewhere;
  }
  const auto source = KnownAddress(packet.SourceAddress());
  const auto destination = KnownAddress(packet.DestinationAddress());
  Wide mark = 0;
  const bool mark_known = KnownNumber(packet.mark.bytes, &mark);
  packet.rerouted = true;
  if (facts_ == nullptr || !source || !destination || !in.index ||
      (!mark_known && settings_.routes_by_mark != Tristate::kNo)) {
    return Destination::kElsewhere;
  }
  facts::RouteKey key;
  key.source = source;
  key.destination = *destination;
  key.arriving_on = *in.index;
  key.mark = settings_.routes_by_mark == Tristate::kNo ? 0 : static_cast<std::uint32_t>(mark);
  if (settings_.routes_by_ports != Tristate::kNo) {
    key.source_port = KnownPort(packet.SourcePort());
    key.destination_port = KnownPort(packet.DestinationPort());
  }
  const facts::Fact* fact = facts_->Find(key);
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

void PacketRouting::Reroute(const Packet& before, Packet& packet) const {
  if (LeavesUntouched(before, packet)) {
    return;
  }
  const bool addresses =
      !std::equal(before.SourceAddress().begin(), before.SourceAddress().end(), packet.SourceAddress().begin()) ||
      !std::equal(before.DestinationAddress().begin(), before.DestinationAddress().end(),
                  packet.DestinationAddress().begin());
  if (addresses || settings_.routes_by_mark != Tristate::kNo) {
    packet.rerouted = true;
    packet.new_route = RouteOf(packet);
    // What was known of the device that it was going to says nothing of the new one.
    ClearDevices(packet, Field::kOutName, Field::kOutKind);
  }
}

// ip_route_me_harder() routes by addresses, mark, bound device and user; not by protocol and ports.
std::shared_ptr<const facts::Route> PacketRouting::RouteOf(const Packet& packet) const {
  Wide mark = 0;
  const bool mark_known = KnownNumber(packet.mark.bytes, &mark);
  const auto destination = KnownAddress(packet.DestinationAddress());
  if (facts_ == nullptr || !connection_.routing || !destination ||
      (!mark_known && settings_.routes_by_mark != Tristate::kNo)) {
    return nullptr;
  }
  facts::RouteKey key = *connection_.routing;
  key.destination = *destination;
  key.mark = settings_.routes_by_mark == Tristate::kNo ? 0 : static_cast<std::uint32_t>(mark);
  key.source_port.reset();
  key.destination_port.reset();
  const auto* route = facts_->FindValue<std::shared_ptr<const facts::Route>>(key);
  return route != nullptr ? *route : nullptr;
}

}  // namespace finwait::firewall::eval
