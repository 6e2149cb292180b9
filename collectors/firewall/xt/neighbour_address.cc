#include "collectors/firewall/xt/neighbour_address.h"

#include "collectors/firewall/packet/connection_class.h"

namespace finwait::firewall::xt {

namespace {

// By which that neighbour is reached; `open` where that is not known.
AbstractNumber<6> AddressOfNeighbour(const packet::DeviceView& device, const IpAddress& address, Field open,
                                     FactLookup& facts) {
  packet::Wide index = 0;
  if (!KnownNumber(device.index.bytes, &index)) {
    return AbstractNumber<6>::Of(open);
  }
  const facts::Fact* fact = facts.Ask(facts::NeighbourKey{static_cast<std::uint32_t>(index), address});
  const auto* found = fact != nullptr ? fact->As<facts::HardwareAddress>() : nullptr;
  if (found == nullptr) {
    return AbstractNumber<6>::Of(open);
  }
  AbstractNumber<6> known;
  for (std::size_t i = 0; i < known.bytes.size(); ++i) {
    known.bytes[i] = AbstractByte::Known(found->bytes[i]);
  }
  return known;
}

}  // namespace

AbstractNumber<6> SourceHardwareAddress(const Packet& packet, const HookContext& context, FactLookup& facts) {
  packet::Wide source = 0;
  // A source that was translated is not who sent the frame.
  if (!context.in.present || packet.source_translated != Tristate::kNo ||
      !KnownNumber(packet.SourceAddress(), &source)) {
    return AbstractNumber<6>::Of(Field::kSourceMac);
  }
  // The neighbour table is that of the bridge, not of the port by which the packet came.
  return AddressOfNeighbour(context.bridge.present ? context.bridge : context.in,
                            packet::AddressOf(source, packet.family), Field::kSourceMac, facts);
}

AbstractNumber<6> DestinationHardwareAddress(const HookContext& context, FactLookup& facts) {
  const bool sent_into_bridge =
      context.bridge.present && context.out.present && !context.in.present && !context.bridged;
  return sent_into_bridge && context.next_hop
             ? AddressOfNeighbour(context.bridge, *context.next_hop, Field::kDestinationMac, facts)
             : AbstractNumber<6>::Of(Field::kDestinationMac);
}

}  // namespace finwait::firewall::xt
