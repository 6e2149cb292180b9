#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Where routing would send a packet.
struct Route {
  std::uint32_t interface_index = 0;
  std::string interface_name;
  std::uint16_t interface_type = 0;   ///< ARPHRD_*
  std::uint32_t interface_group = 0;  ///< `ip link set group`
  std::string interface_kind;         ///< "veth", "bridge"; "" for one without a kind
  bool local = false;                 ///< to this host itself: the packet goes over loopback (RTN_LOCAL)
  std::optional<IpAddress> gateway;
};

/// Asks the kernel which device a packet from `source` to `destination` leaves on (RTM_GETROUTE, as `ip route get`
/// does). An error where there is no route. Marks and rules that ask for them are not considered. `source` absent: the
/// address that this host would choose. `arriving_on`: the packet is forwarded and came in on that device (its index);
/// without, `source` must be an address of this host.
Result<Route> FindRoute(const Host& host, const std::optional<IpAddress>& source, const IpAddress& destination,
                        Deadline deadline, std::optional<std::uint32_t> arriving_on = std::nullopt);

/// The address that MASQUERADE gives to packets which leave for `destination` along `route`: IPv4 as
/// inet_select_addr() picks it, IPv6 as ipv6_dev_get_saddr() does among ordinary addresses (no temporary or deprecated
/// ones). Nothing where that cannot be told.
std::optional<IpAddress> MasqueradeAddress(const Host& host, const Route& route, const IpAddress& destination,
                                           Deadline deadline);

}  // namespace finwait::kernel
