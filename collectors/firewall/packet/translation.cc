#include "collectors/firewall/packet/translation.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "collectors/firewall/packet/condition.h"

namespace finwait::firewall::packet {
namespace {

std::vector<AbstractByte> KnownBytes(std::span<const std::byte> bytes) {
  std::vector<AbstractByte> known;
  std::transform(bytes.begin(), bytes.end(), std::back_inserter(known),
                 [](std::byte byte) { return AbstractByte::Known(byte); });
  return known;
}

// The bytes, where all of them are known; else nothing.
Value KnownValue(AbstractBytes bytes) {
  Value value;
  for (const AbstractByte& byte : bytes) {
    if (!byte.IsKnown()) {
      return {};
    }
    value.push_back(std::byte{byte.value});
  }
  return value;
}

// Whether it becomes something else than it was.
Tristate Rewrite(const Packet& packet, std::span<AbstractByte> place, const NewValue& value) {
  if (value.kind == NewValue::Kind::kStays) {
    return Tristate::kNo;
  }
  const Value first = KnownValue(value.first);
  const Value last = KnownValue(value.last);
  Tristate changed = Tristate::kUnknown;
  if (value.kind == NewValue::Kind::kRange && first.size() == place.size() && last.size() == place.size()) {
    Packet scratch = packet;
    Packet missed;
    std::string because;
    const Condition in_range = Condition::Between(place, first, last, scratch.family);
    const Decision decision = Decide(in_range, scratch, &missed, &because);
    if (decision == Decision::kNo) {
      changed = Tristate::kYes;
    } else if (decision == Decision::kYes && first == last) {
      changed = Tristate::kNo;
    }
    if (first == last) {
      std::copy(value.first.begin(), value.first.end(), place.begin());
      return changed;
    }
  }
  std::fill(place.begin(), place.end(), AbstractByte::Unknown());
  return changed;
}

}  // namespace

NewValue NewValue::Between(std::span<const std::byte> first, std::span<const std::byte> last) {
  return {Kind::kRange, KnownBytes(first), KnownBytes(last)};
}

NewValue MasqueradeAddress(const Packet& packet, const HookContext& context) {
  if (packet.general && context.path_kind == PathKind::kLocal) {
    return {};  // what is sent here has its device's address already, unless somebody singled it out
  }
  if (!context.masquerade || context.masquerade->Family() != packet.family) {
    return NewValue::Anything();
  }
  return NewValue::Between(context.masquerade->Bytes(), context.masquerade->Bytes());
}

// nf_nat_redirect(): the loopback address for what is sent here, else an address of the device it came in on.
NewValue RedirectAddress(const Packet& packet, const HookContext& context) {
  if (context.hook != Hook::kOutput) {
    return NewValue::Anything();
  }
  const auto loopback = IpAddress::Parse(packet.family == IpFamily::kIpv4 ? "127.0.0.1" : "::1");
  return NewValue::Between(loopback->Bytes(), loopback->Bytes());
}

void Translate(Packet& packet, const Translation& translation) {
  const bool destination = translation.destination;
  const std::size_t size = packet.family == IpFamily::kIpv4 ? 4 : 16;
  const std::size_t first = (packet.family == IpFamily::kIpv4 ? 12 : 8) + (destination ? size : 0);
  Tristate changed = Rewrite(packet, std::span(packet.network).subspan(first, size), translation.address);
  // get_unique_tuple(): a source port stays unless another connection stands in its way, which the connection itself
  // does not; a destination port always stays.
  NewValue port = translation.port;
  if (port.kind == NewValue::Kind::kStays && !destination && (translation.random_port || changed != Tristate::kNo)) {
    port.kind = NewValue::Kind::kAnything;
  }
  changed = Or(changed, Rewrite(packet, std::span(packet.transport).subspan(destination ? 2 : 0, 2), port));
  AddressKind& kind = destination ? packet.destination_kind : packet.source_kind;
  kind = changed == Tristate::kNo ? kind : AddressKind::kUnknown;
  (destination ? packet.destination_translated : packet.source_translated) = changed;
  (destination ? packet.destination_decided : packet.source_decided) = true;
}

}  // namespace finwait::firewall::packet
