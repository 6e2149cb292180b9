#include "exporter/planning/routing_json.h"

#include <optional>
#include <utility>

#include "exporter/planning/device_json.h"

namespace finwait::planning {

using firewall::facts::Route;

Json RouteJson(const Route& route) {
  Json json = {{"local", route.local}};
  if (!route.local || route.egress.name) {
    json["device"] = DeviceJson(route.egress);
  }
  if (!route.local) {
    json["on_link"] = route.on_link;
    if (route.egress_port) {
      json["port"] = DeviceJson(*route.egress_port);
    }
  }
  if (route.masquerade) {
    json["masquerade"] = route.masquerade->Text();
  }
  PutKnown(json, "hop_limit", route.hop_limit);
  if (route.gateway) {
    json["gateway"] = route.gateway->Text();
  }
  if (route.realm != 0) {
    json["realm"] = route.realm;
  }
  return json;
}

Route RouteIn(const Json& json) {
  Route route;
  route.local = json.at("local").get<bool>();
  if (!route.local || json.contains("device")) {
    route.egress = DeviceIn(json.at("device"));
  }
  if (!route.local) {
    route.on_link = json.at("on_link").get<bool>();
    if (json.contains("port")) {
      route.egress_port = DeviceIn(json["port"]);
    }
  }
  if (json.contains("masquerade")) {
    route.masquerade = AddressIn(json["masquerade"]);
  }
  TakeKnown(json, "hop_limit", route.hop_limit);
  if (json.contains("gateway")) {
    route.gateway = AddressIn(json["gateway"]);
  }
  route.realm = json.value("realm", std::uint32_t{0});
  return route;
}

Json RoutingJson(const firewall::packet::Routing& routing) {
  Json ranges = Json::array();
  for (const firewall::packet::RoutedRange& range : routing.ranges) {
    ranges.push_back({{"destinations", RangeJson(range.destinations)},
                      {"route", range.route ? RouteJson(*range.route) : Json(nullptr)}});
  }
  return {{"by_more_than_destination", routing.by_more_than_destination},
          {"several_hops", routing.several_hops},
          {"ranges", std::move(ranges)}};
}

firewall::packet::Routing RoutingIn(const Json& json) {
  firewall::packet::Routing routing;
  routing.by_more_than_destination = json.at("by_more_than_destination").get<bool>();
  routing.several_hops = json.at("several_hops").get<bool>();
  for (const Json& each : json.at("ranges")) {
    firewall::packet::RoutedRange range{RangeIn(each.at("destinations")), std::nullopt};
    if (!routing.ranges.empty() && range.destinations.first <= routing.ranges.back().destinations.last) {
      throw Malformed("ranges of destinations are not in order");
    }
    if (!each.at("route").is_null()) {
      range.route = RouteIn(each["route"]);
    }
    routing.ranges.push_back(std::move(range));
  }
  return routing;
}

}  // namespace finwait::planning
