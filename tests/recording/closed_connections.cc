#include "tests/recording/closed_connections.h"

#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "collectors/firewall/facts/fact_query.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/planning/device_json.h"

namespace finwait::recording {
namespace {

using Json = nlohmann::ordered_json;
using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::SocketFacts;
using firewall::eval::Tristate;
using firewall::facts::Fact;
using firewall::facts::RouteKey;
using planning::DeviceIn;
using planning::DeviceJson;
using planning::PutKnown;
using planning::TakeKnown;

constexpr PacketKind kKinds[] = {PacketKind::kFin,     PacketKind::kRst, PacketKind::kData,   PacketKind::kAck,
                                 PacketKind::kPeerFin, PacketKind::kSyn, PacketKind::kPeerSyn};
constexpr std::string_view kPaths[] = {"local", "loopback", "forwarded"};
constexpr std::string_view kOpeners[] = {"local", "peer", "unknown"};
constexpr std::string_view kTristates[] = {"no", "yes", "unknown"};

template <typename Enum, std::size_t kSize>
std::string_view TextOf(Enum value, const std::string_view (&names)[kSize]) {
  return names[static_cast<std::size_t>(value)];
}

template <typename Enum, std::size_t kSize>
Enum ValueOf(const Json& json, const std::string_view (&names)[kSize]) {
  const auto text = json.get<std::string>();
  for (std::size_t i = 0; i < kSize; ++i) {
    if (names[i] == text) {
      return static_cast<Enum>(i);
    }
  }
  throw std::runtime_error("connections.json: unknown word " + text);
}

void PutAddress(Json& json, const char* key, const std::optional<IpAddress>& address) {
  if (address) {
    json[key] = address->Text();
  }
}
std::optional<IpAddress> AddressOf(const Json& json, const char* key) {
  return json.contains(key) ? IpAddress::Parse(json[key].get<std::string>()) : std::nullopt;
}

Json ToJson(const SocketFacts& socket) {
  Json json = Json::object();
  PutKnown(json, "mark", socket.mark);
  PutKnown(json, "user", socket.user);
  PutKnown(json, "group", socket.group);
  json["held"] = socket.held;
  PutKnown(json, "type_of_service", socket.type_of_service);
  PutKnown(json, "time_to_live", socket.time_to_live);
  PutKnown(json, "timestamps", socket.timestamps);
  PutKnown(json, "transparent", socket.transparent);
  return json;
}

SocketFacts SocketOf(const Json& json) {
  SocketFacts socket;
  TakeKnown(json, "mark", socket.mark);
  TakeKnown(json, "user", socket.user);
  TakeKnown(json, "group", socket.group);
  socket.held = json.at("held").get<bool>();
  TakeKnown(json, "type_of_service", socket.type_of_service);
  TakeKnown(json, "time_to_live", socket.time_to_live);
  TakeKnown(json, "timestamps", socket.timestamps);
  TakeKnown(json, "transparent", socket.transparent);
  return socket;
}

// An end of a route's question: "192.0.2.1:443", or the address alone.
std::string EndText(const IpAddress& address, const std::optional<std::uint16_t>& port) {
  return port ? Endpoint{address, *port}.Text() : address.Text();
}
std::pair<IpAddress, std::optional<std::uint16_t>> EndOf(const Json& json) {
  const auto text = json.get<std::string>();
  if (const auto end = Endpoint::Parse(text)) {
    return {end->address, end->port};
  }
  return {IpAddress::Parse(text).value(), std::nullopt};
}

Json ToJson(const RouteKey& key) {
  Json json = Json::object();
  if (key.source) {
    json["from"] = EndText(*key.source, key.source_port);
  }
  json["to"] = EndText(key.destination, key.destination_port);
  json["bound_device"] = key.bound_device;
  json["arriving_on"] = key.arriving_on;
  json["mark"] = key.mark;
  PutKnown(json, "user", key.user);
  return json;
}

RouteKey RouteKeyOf(const Json& json) {
  RouteKey key;
  if (json.contains("from")) {
    std::tie(key.source, key.source_port) = EndOf(json["from"]);
  }
  std::tie(key.destination, key.destination_port) = EndOf(json.at("to"));
  key.bound_device = json.at("bound_device").get<std::uint32_t>();
  key.arriving_on = json.at("arriving_on").get<std::uint32_t>();
  key.mark = json.at("mark").get<std::uint32_t>();
  TakeKnown(json, "user", key.user);
  return key;
}

Json ToJson(const NotedRoutes& routes) {
  Json all = Json::array();
  for (const auto& [key, noted] : routes) {
    Json json = ToJson(key);
    if (noted.route) {
      json["local"] = noted.route->local;
      json["egress"] = DeviceJson(noted.route->egress);
      PutAddress(json, "masquerade", noted.route->masquerade);
    } else if (!noted.unknown_because.empty()) {
      json["unknown_because"] = noted.unknown_because;
    }
    all.push_back(std::move(json));
  }
  return all;
}

NotedRoutes RoutesOf(const Json& all) {
  NotedRoutes routes;
  for (const Json& json : all) {
    NotedRoute& noted = routes[RouteKeyOf(json)];
    if (json.contains("egress")) {
      noted.route = firewall::facts::Route{
          json.at("local").get<bool>(), DeviceIn(json["egress"]), AddressOf(json, "masquerade"), {}};
    } else if (json.contains("unknown_because")) {
      noted.unknown_because = json["unknown_because"].get<std::string>();
    }
  }
  return routes;
}

// Answers for routes from notes, and notes what it had to ask for.
class RouteNotes : public firewall::facts::Resolver {
 public:
  RouteNotes(NotedRoutes& routes, firewall::facts::Resolver& next) : routes_(routes), next_(next) {}

  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    firewall::facts::Needs others;
    for (const firewall::facts::Need& need : needs) {
      const auto* key = std::get_if<RouteKey>(&need);
      const auto noted = key != nullptr ? routes_.find(*key) : routes_.end();
      if (noted == routes_.end()) {
        others.insert(need);
      } else {
        store.Put(need, FactOf(noted->second));
      }
    }
    if (!others.empty()) {
      next_.Resolve(others, store);
    }
    for (const firewall::facts::Need& need : others) {
      if (const auto* key = std::get_if<RouteKey>(&need)) {
        routes_[*key] = Note(*store.Find(need));
      }
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}

 private:
  static Fact FactOf(const NotedRoute& noted) {
    if (noted.route) {
      return Fact::Present(std::make_shared<const firewall::facts::Route>(*noted.route));
    }
    return noted.unknown_because.empty() ? Fact::Absent()
                                         : Fact::Failed(Error{FailureReason::kUnsupported, 0, noted.unknown_because});
  }
  static NotedRoute Note(const Fact& fact) {
    NotedRoute noted;
    if (const auto* route = fact.As<std::shared_ptr<const firewall::facts::Route>>()) {
      noted.route = **route;
    } else if (fact.Why() != nullptr) {
      noted.unknown_because = fact.Why()->message;
    }
    return noted;
  }

  NotedRoutes& routes_;
  firewall::facts::Resolver& next_;
};

Json ToJson(const ClosedConnection& one) {
  const Connection& facts = one.facts;
  Json json = {{"local", facts.local.value().Text()}, {"peer", facts.peer.value().Text()}};
  Json packets = Json::object();
  for (const auto& [kind, passed] : one.passed) {
    packets[std::string(NameOf(kind))] = !passed ? "not seen" : *passed ? "passed" : "stopped";
  }
  json["packets"] = std::move(packets);
  json["path"] = TextOf(facts.path_kind, kPaths);
  json["opened_by"] = TextOf(facts.opened_by, kOpeners);
  json["translated"] = TextOf(facts.translated, kTristates);
  json["egress"] = DeviceJson(facts.egress);
  if (facts.ingress) {
    json["ingress"] = DeviceJson(*facts.ingress);
  }
  PutAddress(json, "masquerade", facts.masquerade);
  json["local_socket"] = ToJson(facts.local_socket);
  json["peer_socket"] = ToJson(facts.peer_socket);
  if (facts.routing) {
    json["routing"] = ToJson(*facts.routing);
  }
  return json;
}

ClosedConnection ConnectionOf(const Json& json) {
  ClosedConnection one;
  Connection& facts = one.facts;
  facts.local = Endpoint::Parse(json.at("local").get<std::string>()).value();
  facts.peer = Endpoint::Parse(json.at("peer").get<std::string>()).value();
  facts.family = facts.local->address.Family();
  for (const PacketKind kind : kKinds) {
    const auto& packets = json.at("packets");
    const auto found = packets.find(std::string(NameOf(kind)));
    if (found != packets.end()) {
      one.passed[kind] = *found == "not seen" ? std::nullopt : std::optional(*found == "passed");
    }
  }
  facts.path_kind = ValueOf<PathKind>(json.at("path"), kPaths);
  facts.opened_by = ValueOf<OpenedBy>(json.at("opened_by"), kOpeners);
  facts.translated = ValueOf<Tristate>(json.at("translated"), kTristates);
  facts.egress = DeviceIn(json.at("egress"));
  if (json.contains("ingress")) {
    facts.ingress = DeviceIn(json["ingress"]);
  }
  facts.masquerade = AddressOf(json, "masquerade");
  facts.local_socket = SocketOf(json.at("local_socket"));
  facts.peer_socket = SocketOf(json.at("peer_socket"));
  if (json.contains("routing")) {
    facts.routing = RouteKeyOf(json["routing"]);
  }
  return one;
}

}  // namespace

std::string_view NameOf(PacketKind kind) {
  constexpr std::string_view kNames[] = {"fin", "rst", "data", "ack", "peer_fin", "syn", "peer_syn"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string ClosedConnections::Text() const {
  std::string text = std::string("{\"tcp_loose\": ") + (tcp_loose ? "true" : "false") + ", \"connections\": [";
  for (std::size_t i = 0; i < all.size(); ++i) {
    text += (i == 0 ? "\n" : ",\n") + ToJson(all[i]).dump();
  }
  text += "\n], \"routes\": [";
  const Json noted = ToJson(routes);
  for (std::size_t i = 0; i < noted.size(); ++i) {
    text += (i == 0 ? "\n" : ",\n") + noted[i].dump();
  }
  return text + "\n]}\n";
}

ClosedConnections ClosedConnections::Parse(const std::string& text) {
  const Json json = Json::parse(text);
  ClosedConnections connections;
  connections.tcp_loose = json.at("tcp_loose").get<bool>();
  for (const Json& one : json.at("connections")) {
    connections.all.push_back(ConnectionOf(one));
  }
  connections.routes = RoutesOf(json.at("routes"));
  return connections;
}

void ClosedConnections::WriteIfChanged(const Case& one, const std::string& file) const {
  // Listeners have ports of fewer digits.
  static const std::regex kDrawnPort(R"(:\d{5}")");
  const std::string text = Text();
  if (std::regex_replace(one.Read(file).value_or(""), kDrawnPort, "") != std::regex_replace(text, kDrawnPort, "")) {
    one.Write(file, text);
  }
}

bool EvaluatedPacket::IsWrong() const {
  return passed && disposition != Disposition::kUnknown && *passed != (disposition == Disposition::kAccept);
}

std::string EvaluatedPacket::Describe() const {
  return std::string(NameOf(kind)) + " of " + connection->facts.local->Text() + " to " +
         connection->facts.peer->Text() + ": predicted " + std::string(Name(disposition)) +
         (reason.empty() ? "" : " (" + reason + ")") + ", the kernel " +
         (!passed   ? "showed nothing"
          : *passed ? "let it pass"
                    : "stopped it");
}

std::vector<EvaluatedPacket> EvaluateAll(ClosedConnections& connections, const firewall::Ruleset& ruleset,
                                         firewall::facts::Resolver& resolver) {
  RouteNotes notes(connections.routes, resolver);
  firewall::facts::FactStore store;
  firewall::facts::FactQuery query(store);
  firewall::eval::ChainEvaluator evaluator(ruleset, &query);
  std::vector<EvaluatedPacket> packets;
  const auto evaluate_each = [&] {
    packets.clear();
    for (const ClosedConnection& one : connections.all) {
      firewall::eval::PacketPathSettings settings;
      settings.tcp_loose = connections.tcp_loose;
      settings.early_demultiplexing = Tristate::kYes;
      settings.routes_by_mark = Tristate::kNo;
      settings.conntrack_active =
          firewall::analysis::NeedsConntrack(ruleset, one.facts.family, &query) != Tristate::kNo;
      for (const auto& [kind, passed] : one.passed) {
        evaluator.ResetBudget();
        const auto result = firewall::eval::EvaluatePacket(evaluator, one.facts, kind, settings);
        packets.push_back({&one, kind, result.disposition, result.reason, passed});
      }
    }
  };
  for (int round = 0; round < diagnosis::kMostRounds; ++round) {
    evaluate_each();
    const firewall::facts::Needs missing = query.TakeNeeds();
    if (missing.empty()) {
      break;
    }
    notes.Resolve(missing, store);
  }
  return packets;
}

std::string OutcomesOf(const ClosedConnections& connections) {
  std::ostringstream text;
  for (const ClosedConnection& one : connections.all) {
    text << one.facts.local->address.Text() << " " << one.facts.peer->address.Text();
    for (const auto& [kind, passed] : one.passed) {
      text << " " << NameOf(kind) << (!passed ? " not seen" : *passed ? " passed" : " stopped");
    }
    text << "\n";
  }
  return text.str();
}

}  // namespace finwait::recording
