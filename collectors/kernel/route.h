#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

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
  std::uint32_t vrf_index = 0;        ///< the VRF of which the device is a port; 0: of none
  std::string vrf_name;
  std::uint32_t vrf_group = 0;
  bool local = false;   ///< to this host itself: the packet goes over loopback, or over a VRF (RTN_LOCAL)
  bool on_link = true;  ///< without a gateway of either family
  std::optional<IpAddress> gateway;
  std::uint32_t realm = 0;                ///< its classid (RTA_FLOW); 0: none
  std::optional<std::uint8_t> hop_limit;  ///< `hoplimit` of the route; absent: the default
};

/// A packet to be routed, by all that routing hangs on (struct flowi4, flowi6).
struct RouteQuery {
  std::optional<IpAddress> source = {};  ///< absent: the address that this host would choose
  IpAddress destination = {};
  std::uint32_t bound_device = 0;  ///< index of the device that the socket is bound to; 0: none
  std::uint32_t arriving_on = 0;   ///< index of the device that a forwarded packet came in on; 0: it is sent here, and
                                   ///< `source` is an address of this host
  std::uint32_t mark = 0;          ///< SO_MARK, or what rules have made of it
  std::uint8_t type_of_service = 0;        ///< of which routing ignores ECN
  std::optional<std::uint32_t> user = {};  ///< the socket's owner; absent: the asking process's
  /// TCP's ports, which `ip rule` and multipath hashes ask for; absent: routing is not told the protocol either.
  std::optional<std::uint16_t> source_port = {};
  std::optional<std::uint16_t> destination_port = {};
};

/// Asks the kernel which devices packets leave on (RTM_GETROUTE, as `ip route get` does), many with one send. One
/// result for each query, in order; an error where there is no route.
std::vector<Result<Route>> FindRoutes(const Host& host, std::span<const RouteQuery> queries, Deadline deadline);
Result<Route> FindRoute(const Host& host, const RouteQuery& query, Deadline deadline);

/// The devices of all next hops that the route of each query has: several where a hash chooses among them. One result
/// for each query, in order; an error where there is no route.
std::vector<Result<std::set<std::uint32_t>>> FindNextHopDevices(const Host& host, std::span<const RouteQuery> queries,
                                                                Deadline deadline);

/// Whether FindRoute() failed because the kernel has no route, and not because it could not be asked.
bool IsNoRoute(const Error& error);

/// The addresses of all devices, as MASQUERADE chooses among them.
class DeviceAddresses {
 public:
  static Result<DeviceAddresses> Read(const Host& host, IpFamily family, Deadline deadline);

  /// The address that MASQUERADE gives to packets which leave for `destination` along `route`: IPv4 as
  /// inet_select_addr() picks it, IPv6 as ipv6_dev_get_saddr() does among ordinary addresses (no temporary or
  /// deprecated ones). Nothing where that cannot be told.
  std::optional<IpAddress> ForMasquerade(const Route& route, const IpAddress& destination) const;

 private:
  DeviceAddresses() = default;
  void TakeIn(const netlink::Message& message);

  struct DeviceAddress {
    IpAddress address;
    unsigned prefix_length = 0;
    unsigned flags = 0;  // IFA_F_*
    unsigned scope = 0;  // RT_SCOPE_*
  };
  static std::optional<IpAddress> SelectIpv4(const std::vector<DeviceAddress>& addresses, const IpAddress& next_hop);
  static std::optional<IpAddress> SelectIpv6(const std::vector<DeviceAddress>& addresses, const IpAddress& destination);

  std::map<std::uint32_t, std::vector<DeviceAddress>> addresses_;  // by device, in the order of the kernel's list
};

}  // namespace finwait::kernel
