#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// A device that packets come in on.
struct IngressDevice {
  std::string name;
  std::uint32_t index = 0;
  bool operator==(const IngressDevice&) const = default;
};

/// The devices on which a peer's packets may come in although routing picks another one for what goes to it (asymmetric
/// routing): those that are up and lead to a network, but for loopback, and for those on which the reverse path filter
/// drops such packets (rp_filter = 1, the larger of the values for all devices and for this one; IPv4 only). Those that
/// lead to single hosts alone, as to the pods of a node, are no way for others. From /proc/net/route, igmp, if_inet6;
/// by name. Empty where these cannot be read.
std::vector<IngressDevice> ReadIngressDevices(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
