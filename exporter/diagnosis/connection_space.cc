#include "exporter/diagnosis/connection_space.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "collectors/firewall/read/devices.h"
#include "collectors/kernel/route.h"
#include "collectors/kernel/route_table.h"
#include "collectors/kernel/routing_rules.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::packet::AddressOf;
using firewall::packet::ConnectionClass;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using firewall::packet::NumberOf;
using firewall::packet::RoutedPeers;
using firewall::packet::Wide;

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

// Peers of one route, in the making.
struct Group {
  RoutedPeers peers;
  std::vector<IntervalSet::Interval> ranges;
};

}  // namespace

Result<Routing> ReadRouting(const kernel::Host& host, IpFamily family, Deadline deadline) {
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
  Routing routing;
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
    RoutedRange range{pieces[i], std::nullopt};
    if (routes[i]) {
      const kernel::Route& found = *routes[i];
      firewall::facts::Route& route = range.route.emplace();
      route.local = found.local;
      route.hop_limit = found.hop_limit;
      if (!found.local) {
        route.on_link = found.on_link;
        route.egress = firewall::read::DeviceOf(found);
        const auto masquerade = addresses->ForMasquerade(found, queries[i].destination);
        if (masquerade == addresses->ForMasquerade(found, AddressOf(pieces[i].last, family))) {
          route.masquerade = masquerade;
        }
      }
    } else if (!kernel::IsNoRoute(routes[i].error())) {
      return Failure(routes[i].error());
    }
    routing.ranges.push_back(std::move(range));
  }
  return routing;
}

ConnectionSpace SpaceOf(const Routing& routing, IpFamily family) {
  ConnectionSpace space;
  if (routing.by_more_than_destination) {
    space.uncertain.emplace_back(
        "this host's routing rules (ip rule) ask for more than the destination, and the devices here are those of "
        "connections without a mark, asked for by this program's user");
  }
  if (routing.several_hops) {
    space.uncertain.emplace_back(
        "routes with several next hops may lead through other devices than the ones named here");
  }
  std::vector<IntervalSet::Interval> own;
  std::vector<Group> groups;
  for (const RoutedRange& range : routing.ranges) {
    if (!range.route) {
      continue;
    }
    if (range.route->local) {
      own.push_back(range.destinations);
      continue;
    }
    RoutedPeers peers;
    peers.device = range.route->egress;
    peers.masquerade = range.route->masquerade;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& each) {
      return each.peers.device == peers.device && each.peers.masquerade == peers.masquerade;
    });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), Group{std::move(peers), {}});
    }
    group->ranges.push_back(range.destinations);
  }
  const IntervalSet loopback =
      family == IpFamily::kIpv4 ? IntervalSet::Between(0x7f000000, 0x7fffffff) : IntervalSet::Between(1, 1);
  own.push_back(loopback.Intervals().front());
  const IntervalSet here = IntervalSet::Union(std::move(own));
  ConnectionClass over_loopback = ConnectionClass::Everything(family);
  over_loopback.Of(Dimension::kLocalAddress) = here;
  over_loopback.Of(Dimension::kPeerAddress) = here;
  ConnectionClass to_others = ConnectionClass::Everything(family);
  to_others.Of(Dimension::kLocalAddress) = here.Difference(loopback);
  std::vector<RoutedPeers> all;
  for (Group& group : groups) {
    group.peers.peers = IntervalSet::Union(std::move(group.ranges));
    all.push_back(std::move(group.peers));
  }
  if (!all.empty()) {
    to_others.Of(Dimension::kRoute) = IntervalSet::Between(0, all.size() - 1);
    to_others.routes = std::make_shared<const std::vector<RoutedPeers>>(std::move(all));
    to_others = to_others.Within(Dimension::kPeerAddress, to_others.Of(Dimension::kPeerAddress));
    space.parts.push_back({PathKind::kLocal, std::move(to_others)});
  }
  space.parts.push_back({PathKind::kLoopback, std::move(over_loopback)});
  std::erase_if(space.parts, [](const SpacePart& part) { return part.connections.Empty(); });
  return space;
}

namespace {

// The kind of device that all routes of `part` have; nothing where they differ.
std::optional<std::string> KindOf(const ConnectionClass& part) {
  std::optional<std::string> kind;
  for (const IntervalSet::Interval& run : part.Of(Dimension::kRoute).Intervals()) {
    for (auto i = run.first; i <= run.last && i < part.routes->size(); ++i) {
      const auto& of_this = (*part.routes)[static_cast<std::size_t>(i)].device.kind;
      if (!of_this || (kind && *kind != *of_this)) {
        return std::nullopt;
      }
      kind = of_this;
    }
  }
  return kind;
}

}  // namespace

Connection AnyOf(PathKind path, const ConnectionClass& part) {
  Connection connection;
  connection.family = part.family;
  connection.path_kind = path;
  connection.within = std::make_shared<const ConnectionClass>(part);
  if (const auto opener = OnlyValue(part.Of(Dimension::kOpener))) {
    connection.opened_by = *opener == firewall::packet::kOpenedHere ? OpenedBy::kLocal : OpenedBy::kPeer;
  }
  const auto narrow = [&](Dimension dimension) -> std::optional<std::uint32_t> {
    const auto only = OnlyValue(part.Of(dimension));
    return only ? std::optional(static_cast<std::uint32_t>(*only)) : std::nullopt;
  };
  connection.peer_socket.mark.reset();  // of the other end over loopback nothing is known
  connection.local_socket.mark = narrow(Dimension::kMark);
  connection.local_socket.user = narrow(Dimension::kUser);
  connection.local_socket.group = narrow(Dimension::kGroup);
  const auto route = OnlyValue(part.Of(Dimension::kRoute));
  if (route && *route < part.routes->size()) {
    const RoutedPeers& routed = (*part.routes)[static_cast<std::size_t>(*route)];
    connection.egress = routed.device;
    connection.masquerade = routed.masquerade;
  } else {
    connection.egress.kind = KindOf(part);
  }
  return connection;
}

}  // namespace finwait::diagnosis
