#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// The Ethernet addresses of this host's neighbours, by device (its index) and address.
using Neighbours = std::map<std::pair<std::uint32_t, IpAddress>, std::array<std::uint8_t, 6>>;

/// What the neighbour table (ARP, neighbour discovery) has of a family: those whose address is known and was not found
/// to be wrong. Needs no privilege.
Result<Neighbours> ReadNeighbours(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
