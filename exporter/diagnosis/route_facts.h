#pragma once

#include <cstdint>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/fact_query.h"

namespace finwait::diagnosis {

/// Where routing sends what `key` says; null: nowhere, or not known (yet: then it is noted in `facts`).
const firewall::facts::Route* FindRoute(firewall::facts::FactQuery& facts, const firewall::facts::RouteKey& key);

/// The same for a packet of this host's own to `destination`, of which nothing else is known. `device`: sent by
/// it, or in the VRF that it is or is a port of, by its index; 0: none.
const firewall::facts::Route* OwnRoute(firewall::facts::FactQuery& facts, const IpAddress& destination,
                                       std::uint32_t device = 0);

}  // namespace finwait::diagnosis
