#include "collectors/firewall/xt/packet_entry.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <memory>

namespace finwait::firewall::xt {

const facts::ConnectionEntry* EntryOf(const Packet& packet, FactLookup& facts) {
  if (packet.tracking != PacketTracking::kEstablished || packet.entry == nullptr) {
    return nullptr;
  }
  const facts::Fact* fact = facts.Ask(*packet.entry);
  const auto* entry = fact != nullptr ? fact->As<std::shared_ptr<const facts::ConnectionEntry>>() : nullptr;
  return entry != nullptr ? entry->get() : nullptr;
}

std::optional<std::uint32_t> TimeoutAt(const Packet& packet, const facts::ConnectionEntry& entry) {
  const AbstractByte& flags = packet.TcpFlags();
  const bool is_fin = (flags.value & flags.known & TH_FIN) != 0;
  return is_fin ? entry.timeout_after_fin : std::nullopt;
}

AbstractNumber<4> ConnectionMarkOf(const Packet& packet, FactLookup& facts) {
  AbstractNumber<4> mark = packet.connection_mark;
  const auto is_entrys = [](const AbstractByte& byte) {
    return !byte.IsKnown() && byte.field == Field::kConnectionMark;
  };
  if (std::ranges::none_of(mark.bytes, is_entrys)) {
    return mark;
  }
  const facts::ConnectionEntry* entry = EntryOf(packet, facts);
  if (entry == nullptr) {
    return mark;
  }
  for (AbstractByte& byte : mark.bytes) {
    if (is_entrys(byte)) {
      const auto had = static_cast<std::uint8_t>(entry->mark >> (8 * (3 - byte.index)));
      byte = AbstractByte::Known(static_cast<std::uint8_t>((byte.value & byte.known) | (had & ~byte.known)));
    }
  }
  return mark;
}

}  // namespace finwait::firewall::xt
