#pragma once

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// What the routing rules of a family (`ip rule`) ask for.
struct RoutingRules {
  bool by_mark = false;   ///< the packet's mark (`ip rule ... fwmark`): a rule that marks it may change where it goes
  bool by_ports = false;  ///< the protocol or its ports (`ip rule ... ipproto`, `sport`, `dport`)
  /// Anything but the destination: one of the two above, the source, the type of service, a device, a VRF, a user.
  bool by_more_than_destination = false;
  bool operator==(const RoutingRules&) const = default;
};

/// Reads them (RTM_GETRULE).
Result<RoutingRules> ReadRoutingRules(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
