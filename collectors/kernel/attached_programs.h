#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Something that may drop packets and that no list of firewall rules shows: a BPF program of XDP or tc, or a filter of
/// tc that has an action.
struct AttachedProgram {
  std::uint32_t device = 0;  ///< its index
  bool outgoing = false;     ///< it sees what goes out by the device; else what comes in
  bool ipv4 = true;          ///< it may see packets of that family
  bool ipv6 = true;
  /// Where it is and what it is called, or its number: `the BPF program "drop" (tc, egress of eth0)`.
  std::string name;

  bool Sees(IpFamily family) const { return family == IpFamily::kIpv4 ? ipv4 : ipv6; }
};

/// Those of the devices of this network namespace. Packets of a bridge, a bond or a VLAN pass the devices below it,
/// too: what is attached there is listed once for each device above. BPF programs of tc without a qdisc (tcx,
/// Linux 6.6) take CAP_NET_ADMIN in the first user namespace, and that `host` is of the calling thread's namespace:
/// else they are missing. All others need no privilege.
Result<std::vector<AttachedProgram>> ReadAttachedPrograms(const Host& host, Deadline deadline);

}  // namespace finwait::kernel
