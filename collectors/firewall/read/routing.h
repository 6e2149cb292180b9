#pragma once

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/packet/routing.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// From the host's routes, rules of routing and addresses.
Result<packet::Routing> ReadRouting(const kernel::Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::firewall::read
