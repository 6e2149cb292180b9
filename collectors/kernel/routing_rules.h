#pragma once

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// What the routing rules of a family (`ip rule`) ask for.
struct RoutingRules {
  bool by_mark = false;   ///< the packet's mark (`ip rule ... fwmark`): a rule that marks it may change where it goes
  bool by_ports = false;  ///< the protocol or its ports (`ip rule ... ipproto`, `sport`, `dport`)
  bool by_user = false;   ///< the socket's owner (`ip rule ... uidrange`)
  bool by_type_of_service = false;  ///< `ip rule ... tos`, `dsfield`
  bool some_refuse = false;         ///< a rule is of type unreachable, blackhole or prohibit
  bool reach_main = false;          ///< a rule sends everything to table main, and takes any route of it
  /// Anything but the destination: one of those above, the source, a device, a VRF.
  bool by_more_than_destination = false;
  bool operator==(const RoutingRules&) const = default;
};

/// Reads them (RTM_GETRULE).
Result<RoutingRules> ReadRoutingRules(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
