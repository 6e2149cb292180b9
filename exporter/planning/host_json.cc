#include "exporter/planning/host_json.h"

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "collectors/base/text.h"
#include "exporter/planning/device_json.h"
#include "exporter/planning/fact_json.h"
#include "exporter/planning/json_values.h"
#include "exporter/planning/routing_json.h"
#include "exporter/planning/socket_json.h"

namespace finwait::planning {
namespace {

using firewall::eval::PathKind;
using firewall::facts::Interface;
using firewall::packet::ConnectionClass;
using firewall::packet::IntervalSet;

constexpr std::pair<PathKind, const char*> kPaths[] = {{PathKind::kLocal, "local"}, {PathKind::kLoopback, "loopback"}};

// Only what tells the class from the whole space is written.
Json ClassJson(const ResultClass& one, const ConnectionClass& space) {
  Json json = {{"family", finwait::Name(one.connections.family)}};
  for (const auto& [path, name] : kPaths) {
    if (path == one.path) {
      json["path"] = name;
    }
  }
  Json sets = Json::object();
  for (std::size_t i = 0; i < firewall::packet::kDimensions; ++i) {
    if (one.connections.values[i] != space.values[i]) {
      Json& set = sets[std::to_string(i)] = Json::array();
      for (const IntervalSet::Interval& range : one.connections.values[i].Intervals()) {
        set.push_back(RangeJson(range));
      }
    }
  }
  json["sets"] = std::move(sets);
  json["close"] = CloseResultJson(one.close);
  return json;
}

const ConnectionClass* PartOf(const PerFamily<diagnosis::ConnectionSpace>& spaces, IpFamily family, PathKind path) {
  for (const diagnosis::SpacePart& part : spaces[family].parts) {
    if (part.path == path) {
      return &part.connections;
    }
  }
  return nullptr;
}

ResultClass ClassIn(const Json& json, const PerFamily<diagnosis::ConnectionSpace>& spaces) {
  ResultClass one;
  const auto family = Named<IpFamily>(json.at("family"), kIpFamilies);
  const std::string path = json.at("path").get<std::string>();
  one.path = path == "loopback" ? PathKind::kLoopback : PathKind::kLocal;
  const ConnectionClass* space = PartOf(spaces, family, one.path);
  if (space == nullptr) {
    throw Malformed("a class is of connections that its routes do not have");
  }
  one.connections = *space;
  for (const auto& [position, ranges] : json.at("sets").items()) {
    const auto i = ParseNumber<std::size_t>(position);
    if (!i || *i >= firewall::packet::kDimensions) {
      throw Malformed("a class has a set of " + Quoted(position));
    }
    std::vector<IntervalSet::Interval> intervals;
    for (const Json& range : ranges) {
      intervals.push_back(RangeIn(range));
    }
    one.connections.values[*i] = IntervalSet::Union(std::move(intervals)).Intersection(space->values[*i]);
  }
  one.close = CloseResultIn(json.at("close"));
  return one;
}

PerFamily<diagnosis::ConnectionSpace> SpacesOf(const HostFacts& facts) {
  return {facts.Space(IpFamily::kIpv4), facts.Space(IpFamily::kIpv6)};
}

Json SettingsJson(const HostFacts& facts) {
  Json json = {{"table_full", facts.settings.table_full ? Json(*facts.settings.table_full) : Json(nullptr)}};
  PutKnown(json, "tcp_loose", facts.settings.tcp_loose);
  for (const IpFamily family : kIpFamilies) {
    Json devices = Json::array();
    for (const kernel::IngressDevice& device : facts.settings.ingress_devices[family]) {
      devices.push_back({{"name", device.name}, {"index", device.index}});
    }
    json["ingress_devices"][std::string(finwait::Name(family))] = std::move(devices);
  }
  return json;
}

void TakeSettings(const Json& json, HostFacts& facts) {
  facts.settings.table_full.reset();
  if (!json.at("table_full").is_null()) {
    facts.settings.table_full = json["table_full"].get<bool>();
  }
  TakeKnown(json, "tcp_loose", facts.settings.tcp_loose);
  for (const IpFamily family : kIpFamilies) {
    for (const Json& each : json.at("ingress_devices").at(std::string(finwait::Name(family)))) {
      facts.settings.ingress_devices[family].push_back(
          {each.at("name").get<std::string>(), each.at("index").get<std::uint32_t>()});
    }
  }
}

HostReport HostIn(const Json& json) {
  HostReport report;
  HostFacts& facts = report.facts;
  facts.host_name = json.at("name").get<std::string>();
  for (const Json& each : json.at("devices")) {
    facts.devices.push_back(DeviceIn(each));
  }
  for (const IpFamily family : kIpFamilies) {
    const Json& routing = json.at("routing").at(std::string(finwait::Name(family)));
    facts.routing_known[family] = !routing.is_null();
    if (!routing.is_null()) {
      facts.routing[family] = RoutingIn(routing);
    }
  }
  TakeSettings(json.at("settings"), facts);
  for (const Json& each : json.at("facts")) {
    TakeFact(each, facts);
  }
  if (!json.at("queue_listeners").is_null()) {
    facts.queue_listeners = json["queue_listeners"].get<std::set<std::uint16_t>>();
  }
  for (const Json& each : json.at("sockets")) {
    facts.sockets.push_back(SocketIn(each));
    report.results.sockets.push_back(CloseResultIn(each.at("close")));
  }
  facts.sockets_not_listed = json.at("sockets_not_listed").get<std::size_t>();
  facts.lacks = json.at("lacks").get<std::vector<std::string>>();
  const auto spaces = SpacesOf(facts);
  for (const Json& each : json.at("classes")) {
    report.results.classes.push_back(ClassIn(each, spaces));
  }
  report.results.incomplete = json.at("incomplete").get<std::vector<std::string>>();
  if (json.contains("rules")) {
    report.results.rules = json["rules"].get<std::string>();
  }
  return report;
}

tl::unexpected<Error> Refuse(std::string why) { return Failure(Error{FailureReason::kUnsupported, 0, std::move(why)}); }

}  // namespace

Json HostJson(const HostReport& report) {
  const HostFacts& facts = report.facts;
  Json json = {{"format", kHostFormat}, {"name", facts.host_name}, {"lacks", facts.lacks}};
  Json& devices = json["devices"] = Json::array();
  for (const Interface& device : facts.devices) {
    devices.push_back(DeviceJson(device));
  }
  for (const IpFamily family : kIpFamilies) {
    json["routing"][std::string(finwait::Name(family))] =
        facts.routing_known[family] ? RoutingJson(facts.routing[family]) : Json(nullptr);
  }
  json["settings"] = SettingsJson(facts);
  Json& answers = json["facts"] = Json::array();
  for (const auto& [need, fact] : facts.answers) {
    if (Json answer = FactJson(need, fact); !answer.is_null()) {
      answers.push_back(std::move(answer));
    }
  }
  json["queue_listeners"] = facts.queue_listeners ? Json(*facts.queue_listeners) : Json(nullptr);
  Json& sockets = json["sockets"] = Json::array();
  for (std::size_t i = 0; i < facts.sockets.size(); ++i) {
    sockets.push_back(SocketJson(facts.sockets[i], report.results.sockets[i]));
  }
  json["sockets_not_listed"] = facts.sockets_not_listed;
  const auto spaces = SpacesOf(facts);
  Json& classes = json["classes"] = Json::array();
  for (const ResultClass& each : report.results.classes) {
    if (const ConnectionClass* space = PartOf(spaces, each.connections.family, each.path)) {
      classes.push_back(ClassJson(each, *space));
    }
  }
  json["incomplete"] = report.results.incomplete;
  if (report.results.rules) {
    json["rules"] = *report.results.rules;
  }
  return json;
}

Result<LoadedReport> ParseReport(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return Refuse("it is no JSON, or was cut short: make it with `finwait_exporter check --format=json`");
  }
  LoadedReport report;
  try {
    report.version = json.value("version", std::string("of no version"));
    report.time = json.value("time", std::string());
    const auto host = json.find("host");
    if (host != json.end() && host->is_string()) {
      return Refuse("the host could not be read when it was made: " + host->get<std::string>());
    }
    if (host == json.end() || !host->is_object()) {
      return Refuse(
          "it lacks \"host\", as the reports of the service and of older versions do; make it on the host with "
          "`finwait_exporter check --format=json`");
    }
    if (host->at("format") != kHostFormat) {
      return Refuse("version " + Quoted(report.version) +
                    " of finwait_exporter made it in another form than this one (" + FINWAIT_VERSION +
                    ") reads: make it with the version that reads it");
    }
    report.host = HostIn(*host);
    return report;
  } catch (const Json::exception& error) {
    return Refuse(std::string("its \"host\" is not what this program writes (") + error.what() + ")");
  } catch (const Malformed& error) {
    return Refuse(std::string("its \"host\" is not what this program writes (") + error.what() + ")");
  }
}

}  // namespace finwait::planning
