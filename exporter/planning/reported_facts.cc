#include "exporter/planning/reported_facts.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace finwait::planning {
namespace {

using firewall::facts::Fact;
using firewall::facts::FactKind;
using firewall::facts::Need;
using firewall::facts::QueueListenerKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::SocketKey;
using firewall::packet::NumberOf;
using firewall::packet::Wide;

bool IsOfRules(FactKind kind) {
  switch (kind) {
    case FactKind::kChain:
    case FactKind::kLegacyTable:
    case FactKind::kSet:
    case FactKind::kElement:
    case FactKind::kQuota:
    case FactKind::kIpset:
    case FactKind::kIpsetElement:
    case FactKind::kIpsetContents:
    case FactKind::kIpsetExtensions:
    case FactKind::kIpsetRoom:
    case FactKind::kSetRoom:
      return true;
    case FactKind::kRoute:
    case FactKind::kSocket:
    case FactKind::kNamespace:
    case FactKind::kHopLimit:
    case FactKind::kIpsecPolicies:
    case FactKind::kQueueListener:
    case FactKind::kEntryCount:
    case FactKind::kRecent:
    case FactKind::kNeighbour:
    case FactKind::kEntry:
    case FactKind::kControlGroup:
    case FactKind::kClock:
      return false;
  }
  return false;
}

const firewall::packet::RoutedRange* RangeOf(const firewall::packet::Routing& routing, const IpAddress& destination) {
  const Wide number = NumberOf(destination);
  const auto after = std::partition_point(
      routing.ranges.begin(), routing.ranges.end(),
      [&](const firewall::packet::RoutedRange& range) { return range.destinations.last < number; });
  return after != routing.ranges.end() && after->destinations.first <= number ? &*after : nullptr;
}

}  // namespace

bool HasAddress(const firewall::packet::Routing& routing, const IpAddress& address) {
  const firewall::packet::RoutedRange* own = RangeOf(routing, address);
  return own != nullptr && own->route && own->route->local;
}

bool TellsRoute(const firewall::packet::Routing& routing, const RouteKey& key) {
  // IPv4 routes nothing from others' addresses.
  if (key.source && key.source->Family() == IpFamily::kIpv4 && !HasAddress(routing, *key.source)) {
    return false;
  }
  return key.arriving_on == 0 && !routing.by_more_than_destination && !routing.several_hops && key.bound_device == 0 &&
         RangeOf(routing, key.destination) != nullptr;
}

ReportedFacts::ReportedFacts(const HostFacts& host, firewall::facts::Resolver& rules) : host_(host), rules_(rules) {
  for (const ReportedSocket& each : host.sockets) {
    sockets_.emplace(kernel::SocketEnds{each.socket.local, each.socket.peer}, &each);
  }
}

void ReportedFacts::Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) {
  firewall::facts::Needs of_rules;
  for (const Need& need : needs) {
    if (IsOfRules(KindOf(need))) {
      of_rules.insert(need);
    } else {
      store.Put(need, AnswerTo(need));
    }
  }
  if (!of_rules.empty()) {
    rules_.Resolve(of_rules, store);
  }
}

Fact ReportedFacts::RouteTo(const RouteKey& key) const {
  const IpFamily family = key.destination.Family();
  const firewall::packet::Routing& routing = host_.routing[family];
  if (!host_.routing_known[family] || !TellsRoute(routing, key)) {
    return Fact::Failed({FailureReason::kUnsupported, 0, "the host's report does not hold " + Describe(key)});
  }
  const auto& route = RangeOf(routing, key.destination)->route;
  return route ? Fact::Present(std::make_shared<const Route>(*route)) : Fact::Absent();
}

Fact ReportedFacts::AnswerTo(const Need& need) const {
  if (const auto known = host_.answers.find(need); known != host_.answers.end()) {
    return known->second;
  }
  if (const auto* route = std::get_if<RouteKey>(&need)) {
    return RouteTo(*route);
  }
  if (const auto* socket = std::get_if<SocketKey>(&need)) {
    const auto found = sockets_.find({socket->local, socket->peer});
    return found != sockets_.end() ? Fact::Present(found->second->facts) : Fact::Absent();
  }
  if (const auto* queue = std::get_if<QueueListenerKey>(&need); queue != nullptr && host_.queue_listeners) {
    return Fact::Present(host_.queue_listeners->contains(queue->number));
  }
  return Fact::Failed({FailureReason::kUnsupported, 0, "the host's report does not hold " + Describe(need)});
}

}  // namespace finwait::planning
