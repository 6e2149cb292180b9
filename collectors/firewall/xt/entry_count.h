#pragma once

#include <cstdint>
#include <string_view>

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

/// The reason where a count of connections decides and is too near its limit.
inline constexpr std::string_view kConnectionCount = "a connection count";

/// Whether a rule that counts connections (nf_conncount) has counted more than `limit`. What it counts has an entry; a
/// packet without one counts until the next look at the count in a later tick of the clock (find_or_evict()), and both
/// directions count apart. So sockets that lost their entries, and close at one time, are that many more. A rule keeps
/// some that have ended a while longer, too: only a limit far above entries and sockets is certain. `source`: only
/// connections from this packet's source count; null: all do.
Tristate IsAboveCount(std::uint32_t limit, const Packet* source, FactLookup& facts);

}  // namespace finwait::firewall::xt
