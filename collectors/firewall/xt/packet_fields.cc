#include "collectors/firewall/xt/packet_fields.h"

#include <array>

namespace finwait::firewall::xt {
namespace {

std::array<std::byte, 4> BigEndian(std::uint32_t number) {
  return {std::byte(number >> 24), std::byte(number >> 16 & 0xff), std::byte(number >> 8 & 0xff),
          std::byte(number & 0xff)};
}

}  // namespace

Condition ByteIs(const AbstractByte& byte, std::uint8_t mask, std::uint8_t value, IpFamily family) {
  const std::byte expected[] = {std::byte{value}};
  const std::byte masks[] = {std::byte{mask}};
  return Condition::Equal(AbstractBytes(&byte, 1), expected, family, masks);
}

Condition NumberIs(const AbstractNumber<4>& number, std::uint32_t mask, std::uint32_t value, IpFamily family) {
  return Condition::Equal(number.bytes, BigEndian(value), family, BigEndian(mask));
}

Condition PortIn(AbstractBytes port, std::uint16_t from, std::uint16_t to, IpFamily family) {
  return Condition::In(port, IntervalSet::Between(from, to), family);
}

Condition TypeOfServiceIs(const Packet& packet, std::uint8_t mask, std::uint8_t value) {
  if (packet.family == IpFamily::kIpv4) {
    return ByteIs(packet.network[1], mask, value, packet.family);
  }
  // The traffic class lies across the first two bytes of the IPv6 header.
  const std::byte masks[] = {std::byte(mask >> 4), std::byte(static_cast<std::uint8_t>(mask << 4))};
  const std::byte values[] = {std::byte(value >> 4), std::byte(static_cast<std::uint8_t>(value << 4))};
  return Condition::Equal(AbstractBytes(packet.network).first(2), values, packet.family, masks);
}

AbstractNumber<4> Marked(const AbstractNumber<4>& number, std::uint32_t clear, std::uint32_t flip) {
  AbstractNumber<4> marked = number;
  for (std::size_t i = 0; i < 4; ++i) {
    marked.bytes[i] = Marked(number.bytes[i], static_cast<std::uint8_t>(clear >> (24 - 8 * i)),
                             static_cast<std::uint8_t>(flip >> (24 - 8 * i)));
  }
  return marked;
}

AbstractByte Marked(const AbstractByte& byte, std::uint8_t clear, std::uint8_t flip) {
  AbstractByte marked = byte;
  marked.value = static_cast<std::uint8_t>(marked.value & marked.known & ~clear);
  marked.known |= clear;
  if ((flip & static_cast<std::uint8_t>(~marked.known)) != 0) {
    marked.field = Field::kNone;
  }
  marked.value ^= flip & marked.known;
  return marked;
}

void MarkTypeOfService(Packet& packet, std::uint8_t clear, std::uint8_t flip) {
  if (packet.family == IpFamily::kIpv4) {
    packet.network[1] = Marked(packet.network[1], clear, flip);
    return;
  }
  packet.network[0] = Marked(packet.network[0], clear >> 4, flip >> 4);
  packet.network[1] =
      Marked(packet.network[1], static_cast<std::uint8_t>(clear << 4), static_cast<std::uint8_t>(flip << 4));
}

bool HasEntry(const Packet& packet) {
  return packet.tracking != PacketTracking::kNoEntry && packet.tracking != PacketTracking::kUntracked;
}

Conditions Never(const XtMatch&, const Packet&, const HookContext&, FactLookup&) { return {Condition::Of(false)}; }

Conditions Always(const XtMatch&, const Packet&, const HookContext&, FactLookup&) { return {}; }

}  // namespace finwait::firewall::xt
