#include "collectors/firewall/xt/ipsec.h"

#include <optional>

#include "collectors/firewall/packet/connection_class.h"

namespace finwait::firewall::xt {
namespace {

std::optional<Endpoint> EndOf(AbstractBytes address, AbstractBytes port, IpFamily family) {
  packet::Wide address_number = 0;
  packet::Wide port_number = 0;
  if (!KnownNumber(address, &address_number) || !KnownNumber(port, &port_number)) {
    return std::nullopt;
  }
  return Endpoint{packet::AddressOf(address_number, family), static_cast<std::uint16_t>(port_number)};
}

// Null where that is not known.
const bool* Answer(const facts::IpsecPoliciesKey& key, FactLookup& facts) {
  const facts::Fact* fact = facts.Ask(key);
  return fact != nullptr ? fact->As<bool>() : nullptr;
}

}  // namespace

Tristate PassesIpsec(const Packet& packet, FactLookup& facts) {
  const bool* any = Answer({}, facts);
  if (any == nullptr || !*any) {
    return any == nullptr ? Tristate::kUnknown : Tristate::kNo;
  }
  // The kernel has looked for a policy by the ends that the packet had when it was routed.
  const bool rewritten = packet.source_translated != Tristate::kNo || packet.destination_translated != Tristate::kNo ||
                         packet.source_kind == AddressKind::kUnknown ||
                         packet.destination_kind == AddressKind::kUnknown;
  const auto source = EndOf(packet.SourceAddress(), packet.SourcePort(), packet.family);
  const auto destination = EndOf(packet.DestinationAddress(), packet.DestinationPort(), packet.family);
  if (rewritten || !source || !destination) {
    return Tristate::kUnknown;
  }
  const bool* met = Answer({source, destination}, facts);
  return met != nullptr && !*met ? Tristate::kNo : Tristate::kUnknown;
}

}  // namespace finwait::firewall::xt
