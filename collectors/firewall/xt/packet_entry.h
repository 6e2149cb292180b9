#pragma once

#include <cstdint>
#include <optional>

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

/// What conntrack's entry of a packet holds, of one whose entry was there before it (kEstablished); null: not known.
const facts::ConnectionEntry* EntryOf(const Packet& packet, FactLookup& facts);

/// In how many seconds its entry times out where rules see the packet: conntrack has looked at it before, and given the
/// entry the timeout that it has from now on. Told only of the first FIN.
std::optional<std::uint32_t> TimeoutAt(const Packet& packet, const facts::ConnectionEntry& entry);

/// The mark of the packet's entry: what rules have made of it, over what the entry had.
AbstractNumber<4> ConnectionMarkOf(const Packet& packet, FactLookup& facts);

}  // namespace finwait::firewall::xt
