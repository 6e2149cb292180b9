#include "collectors/firewall/read/routing.h"

#include <set>
#include <utility>
#include <vector>

#include "collectors/firewall/packet/connection_class.h"
#include "collectors/firewall/read/devices.h"
#include "collectors/kernel/route.h"
#include "collectors/kernel/route_table.h"
#include "collectors/kernel/routing_rules.h"

namespace finwait::firewall::read {
namespace {

using packet::AddressOf;
using packet::IntervalSet;
using packet::NumberOf;
using packet::Wide;

unsigned Bits(IpFamily family) { return family == IpFamily::kIpv4 ? 32 : 128; }

IntervalSet RangeOf(const kernel::RoutePrefix& prefix, IpFamily family) {
  const unsigned bits = Bits(family);
  const Wide host_part = prefix.length == 0      ? (bits == 128 ? ~Wide{0} : (Wide{1} << bits) - 1)
                         : prefix.length >= bits ? Wide{0}
                                                 : (Wide{1} << (bits - prefix.length)) - 1;
  const Wide first = NumberOf(prefix.first) & ~host_part;
  return IntervalSet::Between(first, first | host_part);
}

// All addresses that one host can have, but for link-local ones of IPv6, which are told apart by device alone.
IntervalSet SingleHosts(IpFamily family) {
  if (family == IpFamily::kIpv4) {
    return IntervalSet::Union({{1, 0xdfffffff}, {0xf0000000, 0xfffffffe}});
  }
  const Wide link_local = Wide{0xfe80} << 112;
  return IntervalSet::Between(1, (Wide{0xff} << 120) - 1)
      .Difference(IntervalSet::Between(link_local, link_local | ((Wide{1} << 118) - 1)));
}

// Cuts `all` at both ends of every prefix.
std::vector<IntervalSet::Interval> CutAtPrefixes(const IntervalSet& all,
                                                 const std::vector<kernel::RoutePrefix>& prefixes, IpFamily family) {
  std::set<Wide> starts;
  for (const kernel::RoutePrefix& prefix : prefixes) {
    const IntervalSet::Interval range = RangeOf(prefix, family).Intervals().front();
    starts.insert(range.first);
    if (range.last != IntervalSet::All(Bits(family)).Intervals().front().last) {
      starts.insert(range.last + 1);
    }
  }
  std::vector<IntervalSet::Interval> pieces;
  for (IntervalSet::Interval rest : all.Intervals()) {
    for (auto start = starts.upper_bound(rest.first); start != starts.end() && *start <= rest.last; ++start) {
      pieces.push_back({rest.first, *start - 1});
      rest.first = *start;
    }
    pieces.push_back(rest);
  }
  return pieces;
}

// A route that every destination from `first` to `last` has.
facts::Route RouteOf(const kernel::Route& found, const kernel::DeviceAddresses& addresses, const IpAddress& first,
                     const IpAddress& last) {
  facts::Route route;
  route.local = found.local;
  route.hop_limit = found.hop_limit;
  if (!found.local) {
    route.on_link = found.on_link;
    route.egress = DeviceOf(found);
    const auto masquerade = addresses.ForMasquerade(found, first);
    if (masquerade == addresses.ForMasquerade(found, last)) {
      route.masquerade = masquerade;
    }
  }
  return route;
}

}  // namespace

Result<packet::Routing> ReadRouting(const kernel::Host& host, IpFamily family, Deadline deadline) {
  auto prefixes = ReadRoutePrefixes(host, family, deadline);
  if (!prefixes) {
    return Failure(prefixes.error());
  }
  const auto rules = ReadRoutingRules(host, family, deadline);
  if (!rules) {
    return Failure(rules.error());
  }
  auto addresses = kernel::DeviceAddresses::Read(host, family, deadline);
  if (!addresses) {
    return Failure(addresses.error());
  }
  packet::Routing routing;
  routing.by_more_than_destination = rules->by_more_than_destination;
  IntervalSet hosts = SingleHosts(family);
  for (const kernel::RoutePrefix& prefix : *prefixes) {
    routing.several_hops = routing.several_hops || prefix.several_hops;
    routing.by_more_than_destination = routing.by_more_than_destination || prefix.by_type_of_service;
    if (!prefix.to_one_host) {
      hosts = hosts.Difference(RangeOf(prefix, family));
    }
  }
  const std::vector<IntervalSet::Interval> pieces = CutAtPrefixes(hosts, *prefixes, family);
  std::vector<kernel::RouteQuery> queries;
  for (const IntervalSet::Interval& piece : pieces) {
    kernel::RouteQuery query;
    query.destination = AddressOf(piece.first, family);
    queries.push_back(query);
  }
  const auto routes = FindRoutes(host, queries, deadline);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    packet::RoutedRange range{pieces[i], std::nullopt};
    if (routes[i]) {
      range.route = RouteOf(*routes[i], *addresses, queries[i].destination, AddressOf(pieces[i].last, family));
    } else if (!kernel::IsNoRoute(routes[i].error())) {
      return Failure(routes[i].error());
    }
    routing.ranges.push_back(std::move(range));
  }
  return routing;
}

}  // namespace finwait::firewall::read
