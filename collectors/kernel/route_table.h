#pragma once

#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Addresses that share their first `length` bits, as one route names them.
struct RoutePrefix {
  IpAddress first;
  unsigned length = 0;              ///< 0 to 32, or to 128
  bool to_one_host = true;          ///< false: broadcast, multicast or anycast, to which no TCP connection goes
  bool several_hops = false;        ///< the kernel chooses among several next hops (RTA_MULTIPATH, nexthop groups)
  bool by_type_of_service = false;  ///< it is for packets of one type of service alone
};

/// The most prefixes that are read; a router with a whole table of the internet has a hundred times as many.
inline constexpr std::size_t kMostRoutePrefixes = 8192;

/// The destinations of all routes of a family, of all tables (RTM_GETROUTE, a dump): between two neighbouring ends of
/// these, routing by destination alone goes one way. An error where there are more than kMostRoutePrefixes.
Result<std::vector<RoutePrefix>> ReadRoutePrefixes(const Host& host, IpFamily family, Deadline deadline);

/// What of a family's routes may refuse a packet, or tells packets to one destination apart.
struct RouteSurvey {
  bool has_default = false;         ///< table main has a route to every destination, whose device is up
  bool some_refuse = false;         ///< a route of any table is of type unreachable, blackhole, prohibit or throw
  bool by_type_of_service = false;  ///< a route of any table asks for it (`ip route ... tos`)
};

/// From the same dump. An error where there are more than kMostRoutePrefixes.
Result<RouteSurvey> SurveyRoutes(const Host& host, IpFamily family, Deadline deadline);

}  // namespace finwait::kernel
