#pragma once

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Whether a routing rule asks for the packet's mark (`ip rule ... fwmark`), so that a rule which marks a packet may
/// change where it goes (RTM_GETRULE).
Result<bool> RoutesByMark(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
