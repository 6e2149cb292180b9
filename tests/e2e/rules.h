#pragma once

namespace finwait::e2e {

/// Conntrack works, and nothing that leaves or comes in here meets this.
inline constexpr const char* kTracks =
    "nft 'table inet tracks { chain f { type filter hook forward priority 0; ct state established accept; }; }'";
inline constexpr const char* kDropInvalid = "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP";

}  // namespace finwait::e2e
