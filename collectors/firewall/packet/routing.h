#pragma once

#include <optional>
#include <vector>

#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/packet/interval_set.h"

namespace finwait::firewall::packet {

/// Destinations that routing, asked for the destination alone, sends one way.
struct RoutedRange {
  IntervalSet::Interval destinations;
  std::optional<facts::Route> route;  ///< absent: there is none
};

/// How a host routes what it sends, as far as that hangs on the destination.
struct Routing {
  std::vector<RoutedRange> ranges;        ///< ascending; all single hosts but for link-local ones of IPv6
  bool by_more_than_destination = false;  ///< rules of routing ask for the source, a mark, a user, ports or a device
  bool several_hops = false;              ///< some routes have several next hops
};

}  // namespace finwait::firewall::packet
