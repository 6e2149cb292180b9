#include "collectors/firewall/xt/neighbour_address.h"

#include "collectors/firewall/packet/connection_class.h"

namespace finwait::firewall::xt {

AbstractNumber<6> SourceHardwareAddress(const Packet& packet, const HookContext& context, FactLookup& facts) {
  const auto open = AbstractNumber<6>::Of(Field::kSourceMac);
  // The neighbour table is that of the bridge, not of the port by which the packet came.
  const packet::DeviceView& device = context.bridge.present ? context.bridge : context.in;
  packet::Wide index = 0;
  packet::Wide source = 0;
  // A source that was translated is not who sent the frame.
  if (!context.in.present || packet.source_translated != Tristate::kNo || !KnownNumber(device.index.bytes, &index) ||
      !KnownNumber(packet.SourceAddress(), &source)) {
    return open;
  }
  const facts::Fact* fact =
      facts.Ask(facts::NeighbourKey{static_cast<std::uint32_t>(index), packet::AddressOf(source, packet.family)});
  const auto* address = fact != nullptr ? fact->As<facts::HardwareAddress>() : nullptr;
  if (address == nullptr) {
    return open;
  }
  AbstractNumber<6> known;
  for (std::size_t i = 0; i < known.bytes.size(); ++i) {
    known.bytes[i] = AbstractByte::Known(address->bytes[i]);
  }
  return known;
}

}  // namespace finwait::firewall::xt
