#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Where an entry is looked for: the kernel finds it by either of its tuples, in the zone of that direction.
struct EntryQuery {
  Endpoint source;
  Endpoint destination;
  std::uint16_t zone = 0;
};

/// What one conntrack entry holds besides its state: what rules may ask for.
struct WholeEntry {
  ConntrackTuple original;
  ConntrackTuple reply;
  std::uint16_t original_zone = 0;
  std::uint16_t reply_zone = 0;
  std::uint16_t zone = 0;    ///< of the direction that has one
  std::uint32_t status = 0;  ///< IPS_* bits
  std::uint32_t mark = 0;
  std::optional<ConntrackTcpState> tcp_state;
  std::optional<std::uint32_t> remaining_seconds;
  std::optional<std::array<std::uint8_t, 16>> labels;  ///< CTA_LABELS; absent: no room was made for them
  bool has_master = false;                             ///< a helper expected it (CTA_TUPLE_MASTER)
};

/// The request for the entry of a TCP packet.
netlink::Request EntryRequest(const EntryQuery& query);

/// Asks ctnetlink for entries, many with one send. One answer for each, in order; nothing where there is none. Needs
/// CAP_NET_ADMIN.
std::vector<Result<std::optional<WholeEntry>>> FindEntries(const Host& host, std::span<const EntryQuery> wanted,
                                                           Deadline deadline);

/// Decodes an entry; nothing for one without TCP's tuples.
Result<std::optional<WholeEntry>> DecodeWholeEntry(const netlink::Message& message);

}  // namespace finwait::kernel
