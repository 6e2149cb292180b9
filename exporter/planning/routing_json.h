#pragma once

#include "collectors/firewall/facts/fact.h"
#include "exporter/diagnosis/connection_space.h"
#include "exporter/planning/json_values.h"

namespace finwait::planning {

Json RouteJson(const firewall::facts::Route& route);
firewall::facts::Route RouteIn(const Json& json);

Json RoutingJson(const firewall::packet::Routing& routing);
firewall::packet::Routing RoutingIn(const Json& json);

}  // namespace finwait::planning
