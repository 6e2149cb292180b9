#pragma once

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// What the routing rules of a family ask for beside addresses and devices.
struct RoutingRules {
  bool by_mark = false;   ///< the packet's mark (`ip rule ... fwmark`): a rule that marks it may change where it goes
  bool by_ports = false;  ///< the protocol or its ports (`ip rule ... ipproto`, `sport`, `dport`)
};

/// Reads them (RTM_GETRULE).
Result<RoutingRules> ReadRoutingRules(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
