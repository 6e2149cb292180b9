#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "collectors/base/result.h"
#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/own_addresses.h"

namespace finwait::kernel {

/// Whose connection an entry belongs to.
enum class ExpiryScope : std::uint8_t {
  kLocal,     ///< one end, or both, is in this network namespace
  kForwarded  ///< both ends are elsewhere, and this namespace routes between them
};
inline constexpr ExpiryScope kExpiryScopes[] = {ExpiryScope::kLocal, ExpiryScope::kForwarded};

/// The label value: "local" or "forwarded".
constexpr std::string_view Name(ExpiryScope scope) { return scope == ExpiryScope::kLocal ? "local" : "forwarded"; }

/// A TCP entry of conntrack's that timed out in a live state.
struct ConntrackExpiry {
  std::size_t state = 0;  ///< position in kLiveConntrackStates
  ConntrackTuple original;
  ConntrackTuple reply;
};

/// Decodes a message of ctnetlink's events. Nothing for any other than a DESTROY of a TCP entry in a live state that
/// has no time left (CTA_TIMEOUT): one that was deleted or flushed has some, unless that was less than a second before
/// it would have timed out. kUnsupported when the kernel does not tell the state; kError when malformed.
Result<std::optional<ConntrackExpiry>> DecodeConntrackExpiry(const netlink::Message& message);

/// Local when the end that opened the connection (the source of the original tuple) or the end that answers (the source
/// of the reply) has an address of this namespace. The two destinations do not count: NAT puts this host's own address
/// there for connections that it only forwards (masquerading, a published port).
ExpiryScope ScopeOf(const ConntrackExpiry& expiry, const OwnAddresses& own);

}  // namespace finwait::kernel
