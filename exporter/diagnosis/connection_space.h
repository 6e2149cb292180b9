#pragma once

#include <optional>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/packet/connection_class.h"
#include "collectors/kernel/host.h"

namespace finwait::diagnosis {

/// Connections whose packets take one way through this host.
struct SpacePart {
  firewall::eval::PathKind path = firewall::eval::PathKind::kLocal;
  firewall::packet::ConnectionClass connections;
};

/// Every connection that a socket of this host can have.
struct ConnectionSpace {
  std::vector<SpacePart> parts;
  std::vector<std::string> uncertain;  ///< what may be otherwise than assumed here, each as a sentence without a stop
};

/// Destinations that routing, asked for the destination alone, sends one way.
struct RoutedRange {
  firewall::packet::IntervalSet::Interval destinations;
  std::optional<firewall::facts::Route> route;  ///< absent: there is none
};

/// How this host routes what it sends, as far as that hangs on the destination.
struct Routing {
  std::vector<RoutedRange> ranges;        ///< ascending; all single hosts but for link-local ones of IPv6
  bool by_more_than_destination = false;  ///< rules of routing ask for the source, a mark, a user, ports or a device
  bool several_hops = false;              ///< some routes have several next hops
};

/// From this host's routes and addresses.
Result<Routing> ReadRouting(const kernel::Host& host, IpFamily family, Deadline deadline);

/// To other hosts, by the device that routing picks, and over loopback. Peers without a route, link-local ones and
/// those that are no single host are left out.
ConnectionSpace SpaceOf(const Routing& routing, IpFamily family);

/// A connection that stands for all of `part`.
firewall::eval::Connection AnyOf(firewall::eval::PathKind path, const firewall::packet::ConnectionClass& part);

}  // namespace finwait::diagnosis
