#pragma once

#include <cstdint>

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

inline constexpr std::uint32_t kTcpTimestamps = 8;         // TCPOPT_TIMESTAMP
inline constexpr std::uint32_t kTcpTimestampsLength = 10;  // in bytes, its kind and length included

/// Whether a packet that is no SYN carries a TCP option. Only a SYN carries the maximum segment size, the window scale
/// and "SACK permitted"; whether there are timestamps the size of the header tells.
Tristate HasTcpOption(const Packet& packet, std::uint32_t option);

/// A rule takes the timestamps out: what options the packet has is not known any more.
void StripTcpTimestamps(Packet& packet);

}  // namespace finwait::firewall::xt
