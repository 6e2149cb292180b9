#include "exporter/diagnosis/connection_space.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::OpenedBy;
using firewall::eval::PathKind;
using firewall::packet::ConnectionClass;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using firewall::packet::RoutedPeers;
using firewall::packet::RoutedRange;
using firewall::packet::Routing;

// Peers of one route, in the making.
struct Group {
  RoutedPeers peers;
  std::vector<IntervalSet::Interval> ranges;
};

}  // namespace

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
