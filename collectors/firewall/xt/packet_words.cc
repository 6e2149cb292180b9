#include "collectors/firewall/xt/packet_words.h"

#include <bit>

namespace finwait::firewall::xt {
namespace {

// `byte` with those bits of its field known in which all values agree that the field can have.
AbstractByte Narrowed(const Packet& packet, AbstractByte byte) {
  if (byte.IsKnown() || byte.field == Field::kNone) {
    return byte;
  }
  const IntervalSet domain = packet.Domain(byte.field);
  if (domain.Empty()) {
    return byte;
  }
  const unsigned shift = 8 * (packet::SizeOf(byte.field, packet.family) - 1 - byte.index);
  const auto at = [&](packet::Wide number) { return static_cast<std::uint8_t>(number >> shift); };
  const std::uint8_t first = at(domain.Intervals().front().first);
  unsigned differ = 0;
  for (const IntervalSet::Interval& each : domain.Intervals()) {
    // Below the highest bit in which an interval's ends differ everything is open.
    const packet::Wide apart = (each.first ^ each.last) >> shift;
    differ |= apart > 0xff ? 0xffU : std::bit_ceil(static_cast<unsigned>(apart) + 1) - 1;
    differ |= unsigned{at(each.first)} ^ first;
  }
  const auto agreed = static_cast<std::uint8_t>(~differ & ~byte.known);
  byte.value = static_cast<std::uint8_t>((byte.value & byte.known) | (first & agreed));
  byte.known |= agreed;
  return byte;
}

}  // namespace

Tristate AbstractWord::IsBetween(std::uint32_t first, std::uint32_t last) const {
  if (Least() >= first && Most() <= last) {
    return Tristate::kYes;
  }
  const bool other = first == last && ((value ^ first) & known) != 0;
  return other || Most() < first || Least() > last ? Tristate::kNo : Tristate::kUnknown;
}

Tristate IsAsLongAs(const Packet& packet, std::uint64_t size) {
  const IntervalSet lengths = packet.Domain(Field::kPacketLength);
  if (lengths.Intervals().front().first >= size) {
    return Tristate::kYes;
  }
  return lengths.Intervals().back().last < size ? Tristate::kNo : Tristate::kUnknown;
}

AbstractWord WordAt(const Packet& packet, std::uint64_t offset, std::size_t size) {
  const std::size_t network = packet.NetworkLength();
  AbstractWord word = AbstractWord::Known(0);
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t at = offset + i;
    AbstractByte byte = AbstractByte::Unknown();
    if (at < network) {
      byte = packet.network[at];
    } else if (at - network < packet.transport.size()) {
      byte = packet.transport[at - network];
    }
    byte = Narrowed(packet, byte);
    word.value = word.value << 8 | (byte.value & byte.known);
    word.known = word.known << 8 | byte.known;
  }
  if (size < 4) {
    word.known |= UINT32_MAX << (8 * size);
  }
  return word;
}

}  // namespace finwait::firewall::xt
