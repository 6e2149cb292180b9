#include "exporter/planning/host_json.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

#include "collectors/base/one_of.h"
#include "collectors/base/text.h"
#include "exporter/planning/device_json.h"

// One function writes each thing, and the one below it reads it. What is absent is left out. A report comes from
// anywhere: Malformed ends the reading of one that says what cannot be.
namespace finwait::planning {
namespace {

using Json = nlohmann::ordered_json;
using firewall::eval::PathKind;
using firewall::facts::ChainKey;
using firewall::facts::ControlGroup;
using firewall::facts::ControlGroupKey;
using firewall::facts::ElementKey;
using firewall::facts::EntryCountKey;
using firewall::facts::Fact;
using firewall::facts::HopLimitKey;
using firewall::facts::Interface;
using firewall::facts::IpsecPoliciesKey;
using firewall::facts::IpsetContentsKey;
using firewall::facts::IpsetElementKey;
using firewall::facts::IpsetKey;
using firewall::facts::LegacyTableKey;
using firewall::facts::NamespaceFacts;
using firewall::facts::NamespaceKey;
using firewall::facts::QueueListenerKey;
using firewall::facts::QuotaKey;
using firewall::facts::RecentKey;
using firewall::facts::Route;
using firewall::facts::RouteKey;
using firewall::facts::SetKey;
using firewall::facts::SetRoomKey;
using firewall::facts::SocketKey;
using firewall::packet::ConnectionClass;
using firewall::packet::IntervalSet;
using firewall::packet::Wide;

class Malformed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

IpAddress AddressIn(const Json& json) {
  const auto address = IpAddress::Parse(json.get<std::string>());
  if (!address) {
    throw Malformed(Quoted(json.get<std::string>()) + " is no address");
  }
  return *address;
}

Endpoint EndIn(const Json& json) {
  const auto end = Endpoint::Parse(json.get<std::string>());
  if (!end) {
    throw Malformed(Quoted(json.get<std::string>()) + " is no address and port");
  }
  return *end;
}

template <typename Enum, typename Values>
Enum Named(const Json& json, const Values& values) {
  const std::string name = json.get<std::string>();
  for (const Enum value : values) {
    if (Name(value) == name) {
      return value;
    }
  }
  throw Malformed(Quoted(name) + " is not known");
}

// Numbers of addresses take up to 128 bits.
std::string WideText(Wide number) {
  return Hex(static_cast<std::uint64_t>(number >> 64U), 16) + Hex(static_cast<std::uint64_t>(number), 16);
}

Wide WideIn(const Json& json) {
  const std::string text = json.get<std::string>();
  Wide number = 0;
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::size_t kLength = 32;
  if (text.size() != kLength) {
    throw Malformed(Quoted(text) + " is not a number of 32 digits");
  }
  for (const char each : text) {
    const std::size_t digit = kDigits.find(each);
    if (digit == std::string_view::npos) {
      throw Malformed(Quoted(text) + " is not a number of 32 digits");
    }
    number = number << 4U | digit;
  }
  return number;
}

Json RangeJson(const IntervalSet::Interval& range) {
  return Json::array({WideText(range.first), WideText(range.last)});
}

IntervalSet::Interval RangeIn(const Json& json) {
  const IntervalSet::Interval range{WideIn(json.at(0)), WideIn(json.at(1))};
  if (range.last < range.first) {
    throw Malformed("a range ends before it begins");
  }
  return range;
}

Json RouteJson(const Route& route) {
  Json json = {{"local", route.local}};
  if (!route.local) {
    json["device"] = DeviceJson(route.egress);
    json["on_link"] = route.on_link;
  }
  if (route.masquerade) {
    json["masquerade"] = route.masquerade->Text();
  }
  PutKnown(json, "hop_limit", route.hop_limit);
  return json;
}

Route RouteIn(const Json& json) {
  Route route;
  route.local = json.at("local").get<bool>();
  if (!route.local) {
    route.egress = DeviceIn(json.at("device"));
    route.on_link = json.at("on_link").get<bool>();
  }
  if (json.contains("masquerade")) {
    route.masquerade = AddressIn(json["masquerade"]);
  }
  TakeKnown(json, "hop_limit", route.hop_limit);
  return route;
}

Json RoutingJson(const diagnosis::Routing& routing) {
  Json ranges = Json::array();
  for (const diagnosis::RoutedRange& range : routing.ranges) {
    ranges.push_back({{"destinations", RangeJson(range.destinations)},
                      {"route", range.route ? RouteJson(*range.route) : Json(nullptr)}});
  }
  return {{"by_more_than_destination", routing.by_more_than_destination},
          {"several_hops", routing.several_hops},
          {"ranges", std::move(ranges)}};
}

diagnosis::Routing RoutingIn(const Json& json) {
  diagnosis::Routing routing;
  routing.by_more_than_destination = json.at("by_more_than_destination").get<bool>();
  routing.several_hops = json.at("several_hops").get<bool>();
  for (const Json& each : json.at("ranges")) {
    diagnosis::RoutedRange range{RangeIn(each.at("destinations")), std::nullopt};
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

Json NamespaceJson(const NamespaceFacts& facts) {
  Json json = Json::object();
  PutKnown(json, "early_demultiplexing", facts.early_demultiplexing);
  PutKnown(json, "routes_by_mark", facts.routes_by_mark);
  PutKnown(json, "routes_by_ports", facts.routes_by_ports);
  PutKnown(json, "forwards", facts.forwards);
  PutKnown(json, "bridge_calls_rules", facts.bridge_calls_rules);
  return json;
}

NamespaceFacts NamespaceIn(const Json& json) {
  NamespaceFacts facts;
  TakeKnown(json, "early_demultiplexing", facts.early_demultiplexing);
  TakeKnown(json, "routes_by_mark", facts.routes_by_mark);
  TakeKnown(json, "routes_by_ports", facts.routes_by_ports);
  TakeKnown(json, "forwards", facts.forwards);
  TakeKnown(json, "bridge_calls_rules", facts.bridge_calls_rules);
  return facts;
}

Json CloseResultJson(const CloseResult& close) {
  Json json = {{"fate", Name(close.fate)}, {"consequence", close.consequence}};
  if (!close.hook.empty()) {
    json["hook"] = close.hook;
  }
  if (close.HasRule()) {
    json["backend"] = close.backend;
    json["family"] = close.family;
    json["table"] = close.table;
    json["chain"] = close.chain;
    json["text"] = close.text;
    PutKnown(json, "handle", close.handle);
    PutKnown(json, "rule_index", close.position);
  }
  return json;
}

CloseResult CloseResultIn(const Json& json) {
  using diagnosis::Fate;
  constexpr Fate kFates[] = {Fate::kClean,          Fate::kFinDropped,  Fate::kAckDropped, Fate::kNatLost,
                             Fate::kPeerFinDropped, Fate::kPeerDecides, Fate::kUnknown};
  CloseResult close;
  close.fate = Named<Fate>(json.at("fate"), kFates);
  close.consequence = json.at("consequence").get<std::string>();
  const auto take = [&](const char* key, std::string& value) { value = json.value(key, std::string()); };
  take("hook", close.hook);
  take("backend", close.backend);
  take("family", close.family);
  take("table", close.table);
  take("chain", close.chain);
  take("text", close.text);
  TakeKnown(json, "handle", close.handle);
  TakeKnown(json, "rule_index", close.position);
  return close;
}

Json EntryJson(const kernel::SocketEntry& entry) {
  Json json = {{"state", entry.state ? Json(Name(*entry.state)) : Json(nullptr)},
               {"source_nat", entry.source_nat},
               {"destination_nat", entry.destination_nat}};
  if (entry.translation != nullptr) {
    json["translated_local"] = entry.translation->local.Text();
    json["translated_peer"] = entry.translation->peer.Text();
  }
  return json;
}

kernel::SocketEntry EntryIn(const Json& json) {
  using kernel::ConntrackTcpState;
  kernel::SocketEntry entry;
  entry.tracking = kernel::Tracking::kTracked;
  if (!json.at("state").is_null()) {
    std::array<ConntrackTcpState, kernel::kConntrackTcpStateCount> states = {};
    for (std::size_t i = 0; i < states.size(); ++i) {
      states[i] = static_cast<ConntrackTcpState>(i);
    }
    entry.state = Named<ConntrackTcpState>(json["state"], states);
  }
  entry.source_nat = json.at("source_nat").get<bool>();
  entry.destination_nat = json.at("destination_nat").get<bool>();
  if (json.contains("translated_local")) {
    entry.translation = std::make_shared<const kernel::Translation>(
        kernel::Translation{EndIn(json["translated_local"]), EndIn(json.at("translated_peer"))});
  }
  return entry;
}

Json SocketJson(const ReportedSocket& reported, const CloseResult& close) {
  const kernel::TcpSocket& socket = reported.socket;
  const firewall::facts::Socket& facts = reported.facts;
  Json json = {{"local", socket.local.Text()},
               {"peer", socket.peer.Text()},
               {"state", Name(socket.state)},
               {"user", facts.user},
               {"orphan", facts.orphan}};
  if (facts.bound_device != 0) {
    json["bound_device"] = facts.bound_device;
  }
  PutKnown(json, "mark", facts.mark);
  PutKnown(json, "type_of_service", facts.type_of_service);
  PutKnown(json, "opened_here", facts.opened_here);
  PutKnown(json, "timestamps", facts.timestamps);
  PutKnown(json, "transparent", facts.transparent);
  PutKnown(json, "control_group", facts.control_group);
  PutKnown(json, "class_or_priority", facts.class_or_priority);
  json["tracked"] = socket.entry.tracking == kernel::Tracking::kUnknown
                        ? Json(nullptr)
                        : Json(socket.entry.tracking == kernel::Tracking::kTracked);
  if (socket.entry.tracking == kernel::Tracking::kTracked) {
    json["entry"] = EntryJson(socket.entry);
  }
  if (reported.translated) {
    json["was_translated"] = {{"source", reported.translated->first}, {"destination", reported.translated->second}};
  }
  json["close"] = CloseResultJson(close);
  return json;
}

ReportedSocket SocketIn(const Json& json) {
  std::array<kernel::TcpState, kernel::kTcpStateCount> states = {};
  for (std::size_t i = 0; i < states.size(); ++i) {
    states[i] = static_cast<kernel::TcpState>(i);
  }
  ReportedSocket reported;
  kernel::TcpSocket& socket = reported.socket;
  firewall::facts::Socket& facts = reported.facts;
  socket.local = EndIn(json.at("local"));
  socket.peer = EndIn(json.at("peer"));
  if (socket.local.address.Family() != socket.peer.address.Family()) {
    throw Malformed("a socket has ends of two families");
  }
  socket.state = Named<kernel::TcpState>(json.at("state"), states);
  facts.user = json.at("user").get<std::uint32_t>();
  facts.orphan = json.at("orphan").get<bool>();
  facts.bound_device = json.value("bound_device", std::uint32_t{0});
  TakeKnown(json, "mark", facts.mark);
  TakeKnown(json, "type_of_service", facts.type_of_service);
  TakeKnown(json, "opened_here", facts.opened_here);
  TakeKnown(json, "timestamps", facts.timestamps);
  TakeKnown(json, "transparent", facts.transparent);
  TakeKnown(json, "control_group", facts.control_group);
  TakeKnown(json, "class_or_priority", facts.class_or_priority);
  socket.uid = facts.user;
  socket.orphan = facts.orphan;
  socket.device = facts.bound_device;
  socket.mark = facts.mark;
  socket.opened_here = facts.opened_here;
  socket.cgroup_id = facts.control_group;
  socket.type_of_service = facts.type_of_service;
  if (!json.at("tracked").is_null()) {
    socket.entry.tracking = kernel::Tracking::kUntracked;
  }
  if (json.contains("entry")) {
    socket.entry = EntryIn(json["entry"]);
  }
  if (json.contains("was_translated")) {
    reported.translated = {json["was_translated"].at("source").get<bool>(),
                           json["was_translated"].at("destination").get<bool>()};
  }
  return reported;
}

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

const ConnectionClass* PartOf(const std::array<diagnosis::ConnectionSpace, 2>& spaces, IpFamily family, PathKind path) {
  for (const diagnosis::SpacePart& part : spaces[static_cast<std::size_t>(family)].parts) {
    if (part.path == path) {
      return &part.connections;
    }
  }
  return nullptr;
}

ResultClass ClassIn(const Json& json, const std::array<diagnosis::ConnectionSpace, 2>& spaces) {
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

std::array<diagnosis::ConnectionSpace, 2> SpacesOf(const HostFacts& facts) {
  return {facts.Space(IpFamily::kIpv4), facts.Space(IpFamily::kIpv6)};
}

Json SettingsJson(const HostFacts& facts) {
  Json json = {{"table_full", facts.settings.table_full ? Json(*facts.settings.table_full) : Json(nullptr)}};
  PutKnown(json, "tcp_loose", facts.settings.tcp_loose);
  for (const IpFamily family : kIpFamilies) {
    Json devices = Json::array();
    for (const kernel::IngressDevice& device : facts.settings.ingress_devices[static_cast<std::size_t>(family)]) {
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
      facts.settings.ingress_devices[static_cast<std::size_t>(family)].push_back(
          {each.at("name").get<std::string>(), each.at("index").get<std::uint32_t>()});
    }
  }
}

// The answers, by what they are to.
class AnswersJson {
 public:
  explicit AnswersJson(const Fact& fact) : fact_(fact) {}

  Json operator()(const NamespaceKey& key) const {
    const auto* facts = fact_.As<NamespaceFacts>();
    return facts == nullptr
               ? Json(nullptr)
               : Json{{"of", "namespace"}, {"family", finwait::Name(key.family)}, {"is", NamespaceJson(*facts)}};
  }
  Json operator()(const HopLimitKey& key) const {
    return Number({{"of", "hop_limit"}, {"family", finwait::Name(key.family)}, {"device", key.device}});
  }
  Json operator()(const EntryCountKey&) const { return Number({{"of", "entries"}}); }
  Json operator()(const IpsecPoliciesKey&) const {
    const bool* any = fact_.As<bool>();
    return any == nullptr ? Json(nullptr) : Json{{"of", "ipsec_policies"}, {"is", *any}};
  }
  Json operator()(const ControlGroupKey& key) const {
    const auto* group = fact_.As<std::shared_ptr<const ControlGroup>>();
    return group == nullptr
               ? Json(nullptr)
               : Json{{"of", "control_group"}, {"id", key.id}, {"path", (*group)->path}, {"line", (*group)->line}};
  }
  Json operator()(const RouteKey& key) const {
    const auto* route = fact_.As<std::shared_ptr<const Route>>();
    Json json = {{"of", "route"},
                 {"destination", key.destination.Text()},
                 {"bound_device", key.bound_device},
                 {"mark", key.mark},
                 {"is", route != nullptr ? RouteJson(**route) : Json(nullptr)}};
    if (key.source) {
      json["source"] = key.source->Text();
    }
    PutKnown(json, "user", key.user);
    PutKnown(json, "source_port", key.source_port);
    PutKnown(json, "destination_port", key.destination_port);
    return json;
  }
  // Rules and sets are read where the candidate is loaded, and counts and lists change before it is: no report holds
  // them.
  template <OneOf<ChainKey, LegacyTableKey, SetKey, ElementKey, QuotaKey, SocketKey, IpsetKey, IpsetElementKey,
                  IpsetContentsKey, QueueListenerKey, RecentKey, SetRoomKey>
                Key>
  Json operator()(const Key&) const {
    return nullptr;
  }

 private:
  Json Number(Json json) const {
    const auto* number = fact_.As<std::uint64_t>();
    if (number == nullptr) {
      return nullptr;
    }
    json["is"] = *number;
    return json;
  }

  const Fact& fact_;
};

void TakeAnswer(const Json& json, HostFacts& facts) {
  const std::string of = json.at("of").get<std::string>();
  const auto put = [&](const firewall::facts::Need& need, Fact fact) {
    facts.answers.insert_or_assign(need, std::move(fact));
  };
  if (of == "namespace") {
    put(NamespaceKey{Named<IpFamily>(json.at("family"), kIpFamilies)}, Fact::Present(NamespaceIn(json.at("is"))));
  } else if (of == "hop_limit") {
    put(HopLimitKey{Named<IpFamily>(json.at("family"), kIpFamilies), json.at("device").get<std::string>()},
        Fact::Present(json.at("is").get<std::uint64_t>()));
  } else if (of == "entries") {
    put(EntryCountKey{}, Fact::Present(json.at("is").get<std::uint64_t>()));
  } else if (of == "ipsec_policies") {
    put(IpsecPoliciesKey{}, Fact::Present(json.at("is").get<bool>()));
  } else if (of == "control_group") {
    put(ControlGroupKey{json.at("id").get<std::uint64_t>()},
        Fact::Present(std::make_shared<const ControlGroup>(
            ControlGroup{json.at("path").get<std::string>(), json.at("line").get<std::vector<std::uint64_t>>()})));
  } else if (of == "route") {
    RouteKey key;
    key.destination = AddressIn(json.at("destination"));
    key.bound_device = json.at("bound_device").get<std::uint32_t>();
    key.mark = json.at("mark").get<std::uint32_t>();
    if (json.contains("source")) {
      key.source = AddressIn(json["source"]);
    }
    TakeKnown(json, "user", key.user);
    TakeKnown(json, "source_port", key.source_port);
    TakeKnown(json, "destination_port", key.destination_port);
    put(key,
        json.at("is").is_null() ? Fact::Absent() : Fact::Present(std::make_shared<const Route>(RouteIn(json["is"]))));
  } else {
    throw Malformed("a fact is of " + Quoted(of));
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
    facts.routing_known[static_cast<std::size_t>(family)] = !routing.is_null();
    if (!routing.is_null()) {
      facts.routing[static_cast<std::size_t>(family)] = RoutingIn(routing);
    }
  }
  TakeSettings(json.at("settings"), facts);
  for (const Json& each : json.at("facts")) {
    TakeAnswer(each, facts);
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
        facts.routing_known[static_cast<std::size_t>(family)]
            ? RoutingJson(facts.routing[static_cast<std::size_t>(family)])
            : Json(nullptr);
  }
  json["settings"] = SettingsJson(facts);
  Json& answers = json["facts"] = Json::array();
  for (const auto& [need, fact] : facts.answers) {
    if (Json answer = std::visit(AnswersJson(fact), need); !answer.is_null()) {
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
