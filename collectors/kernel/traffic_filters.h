#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectors/kernel/links.h"
#include "collectors/kernel/netlink/channel.h"

namespace finwait::kernel {

/// A filter of tc's that may drop packets, or send them elsewhere.
struct TrafficFilter {
  std::uint32_t device = 0;    ///< its index
  bool outgoing = false;       ///< it sees what goes out by the device; else what comes in
  std::uint16_t protocol = 0;  ///< ETH_P_*; ETH_P_ALL for all
  std::uint32_t program = 0;   ///< the number of its BPF program; 0: it has none, or the kernel does not tell
  std::string name;            ///< the program's name, or the kind of filter: "flower"
};

/// All of them of the devices `links` (RTM_GETQDISC, RTM_GETTFILTER). Left out is what classifies, marks or mirrors
/// packets and lets them pass: what an action that may drop is not among, and redirection to an ifb device, from which
/// packets come back. BPF programs without a qdisc (tcx) are no filters. `channel` is of NETLINK_ROUTE. Needs no
/// privilege.
Result<std::vector<TrafficFilter>> ReadTrafficFilters(netlink::Channel& channel, const Links& links, Deadline deadline);

}  // namespace finwait::kernel
