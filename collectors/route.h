#pragma once

#include <cstdint>
#include <string>

#include "collectors/host.h"
#include "collectors/ip.h"
#include "collectors/result.h"

namespace finwait {

/// Where routing would send a packet.
struct Route {
  std::uint32_t interface_index = 0;
  std::string interface_name;
  bool local = false;  ///< to this host itself: the packet goes over loopback (RTN_LOCAL)
};

/// Asks the kernel which device a packet from `source` to `destination` leaves on (RTM_GETROUTE, as `ip route get`
/// does). An error where there is no route. Marks and rules that ask for them are not considered.
Result<Route> LookUpRoute(const Host& host, const IpAddress& source, const IpAddress& destination, Deadline deadline);

}  // namespace finwait
