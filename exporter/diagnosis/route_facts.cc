#include "exporter/diagnosis/route_facts.h"

#include <memory>

namespace finwait::diagnosis {

using firewall::facts::Route;
using firewall::facts::RouteKey;

const Route* FindRoute(firewall::facts::FactQuery& facts, const RouteKey& key) {
  const auto* route = facts.FindValue<std::shared_ptr<const Route>>(key);
  return route != nullptr ? route->get() : nullptr;
}

const Route* OwnRoute(firewall::facts::FactQuery& facts, const IpAddress& destination, std::uint32_t device) {
  RouteKey key;
  key.destination = destination;
  key.bound_device = device;
  return FindRoute(facts, key);
}

}  // namespace finwait::diagnosis
