#pragma once

#include "collectors/host.h"
#include "collectors/ip.h"
#include "collectors/result.h"

namespace finwait {

/// Whether a routing rule asks for the packet's mark (`ip rule ... fwmark`), so that a rule which marks a packet may
/// change where it goes (RTM_GETRULE).
Result<bool> RoutesByMark(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait
