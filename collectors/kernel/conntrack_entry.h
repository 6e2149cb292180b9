#pragma once

#include <cstdint>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {

/// One direction of a connection as conntrack knows it: who sends to whom.
struct ConntrackTuple {
  Endpoint source;
  Endpoint destination;
  auto operator<=>(const ConntrackTuple&) const = default;
};

/// One conntrack entry as ctnetlink sends it (ctnetlink_fill_info). The tuples stay encoded until asked for: counting a
/// table needs none of them, and refers to the message that it was decoded from.
struct ConntrackEntry {
  IpFamily family = IpFamily::kIpv4;
  std::uint8_t protocol = 0;                   ///< IPPROTO_*
  std::optional<ConntrackTcpState> tcp_state;  ///< TCP only
  /// Of the direction that has one (CTA_ZONE, or CTA_TUPLE_ZONE of either tuple where a zone is for one direction); 0
  /// is the zone that everything is in unless a rule says otherwise.
  std::uint16_t zone = 0;
  std::uint32_t status = 0;  ///< IPS_* bits (nf_conntrack_common.h)
  /// Seconds until the entry times out unless a packet comes. An event of an entry that timed out has none.
  std::optional<std::uint32_t> remaining_seconds;
  netlink::Bytes original;  ///< CTA_TUPLE_ORIG, from the connection's opener
  netlink::Bytes reply;     ///< CTA_TUPLE_REPLY, to the opener: differs from the original's reverse by what NAT changed
};

/// Decodes the payload of one ctnetlink message. Nothing for an entry that is neither IPv4 nor IPv6; an error when
/// malformed.
Result<std::optional<ConntrackEntry>> DecodeConntrackEntry(const netlink::Message& message);

/// Decodes a tuple of addresses and ports; nothing when it has no ports or is malformed.
std::optional<ConntrackTuple> DecodeConntrackTuple(netlink::Bytes tuple);

}  // namespace finwait::kernel
