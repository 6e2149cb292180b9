#include "tests/recording/closed_connections.h"

#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "collectors/firewall/analysis/conntrack_use.h"

namespace finwait::recording {
namespace {

using Json = nlohmann::ordered_json;
using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::Interface;
using firewall::eval::NewRoute;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::SocketFacts;
using firewall::eval::Tristate;

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

// A fact that is not known is left out.
template <typename T>
void Put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) {
    json[key] = *value;
  }
}
template <typename T>
void Get(const Json& json, const char* key, std::optional<T>& value) {
  value = json.contains(key) ? std::optional(json[key].get<T>()) : std::nullopt;
}
void PutAddress(Json& json, const char* key, const std::optional<IpAddress>& address) {
  if (address) {
    json[key] = address->Text();
  }
}
std::optional<IpAddress> AddressOf(const Json& json, const char* key) {
  return json.contains(key) ? IpAddress::Parse(json[key].get<std::string>()) : std::nullopt;
}

Json ToJson(const Interface& device) {
  Json json = Json::object();
  Put(json, "name", device.name);
  Put(json, "index", device.index);
  Put(json, "type", device.type);
  Put(json, "group", device.group);
  Put(json, "kind", device.kind);
  return json;
}

Interface DeviceOf(const Json& json) {
  Interface device;
  Get(json, "name", device.name);
  Get(json, "index", device.index);
  Get(json, "type", device.type);
  Get(json, "group", device.group);
  Get(json, "kind", device.kind);
  return device;
}

Json ToJson(const SocketFacts& socket) {
  Json json = Json::object();
  Put(json, "mark", socket.mark);
  Put(json, "user", socket.user);
  Put(json, "group", socket.group);
  json["held"] = socket.held;
  Put(json, "type_of_service", socket.type_of_service);
  Put(json, "time_to_live", socket.time_to_live);
  return json;
}

SocketFacts SocketOf(const Json& json) {
  SocketFacts socket;
  Get(json, "mark", socket.mark);
  Get(json, "user", socket.user);
  Get(json, "group", socket.group);
  socket.held = json.at("held").get<bool>();
  Get(json, "type_of_service", socket.type_of_service);
  Get(json, "time_to_live", socket.time_to_live);
  return socket;
}

// What routing answered, by destination. It is what Connection::route_anew calls, so that a recorded connection answers
// the same and can be written down.
struct NotedRoutes {
  std::function<std::optional<NewRoute>(const IpAddress&)> ask;  // null: a recording
  std::shared_ptr<std::map<IpAddress, std::optional<NewRoute>>> answers =
      std::make_shared<std::map<IpAddress, std::optional<NewRoute>>>();

  std::optional<NewRoute> operator()(const IpAddress& destination) const {
    const auto known = answers->find(destination);
    if (known != answers->end()) {
      return known->second;
    }
    if (!ask) {
      throw std::runtime_error("the recording has no route to " + destination.Text() +
                               "; record it again with FINWAIT_RECORD=1");
    }
    return (*answers)[destination] = ask(destination);
  }
};

Json RoutesOf(const Connection& connection) {
  Json routes = Json::object();
  if (const auto* noted = connection.route_anew.target<NotedRoutes>()) {
    for (const auto& [destination, route] : *noted->answers) {
      Json json;
      if (route) {
        json = {{"local", route->local}, {"egress", ToJson(route->egress)}};
        PutAddress(json, "masquerade", route->masquerade);
      }
      routes[destination.Text()] = json;
    }
  }
  return routes;
}

NotedRoutes RoutesFrom(const Json& json) {
  NotedRoutes routes;
  for (const auto& [destination, route] : json.items()) {
    auto& answer = (*routes.answers)[IpAddress::Parse(destination).value()];
    if (!route.is_null()) {
      answer = NewRoute{route.at("local").get<bool>(), DeviceOf(route.at("egress")), AddressOf(route, "masquerade")};
    }
  }
  return routes;
}

Json ToJson(const ClosedConnection& one) {
  const Connection& facts = one.facts;
  Json json = {{"local", facts.local.value().Text()}, {"peer", facts.peer.value().Text()}};
  Json packets = Json::object();
  for (const auto& [kind, passed] : one.passed) {
    packets[std::string(NameOf(kind))] = !passed ? "not seen" : *passed ? "passed" : "stopped";
  }
  json["packets"] = std::move(packets);
  json["path"] = TextOf(facts.journey, kPaths);
  json["opened_by"] = TextOf(facts.opened_by, kOpeners);
  json["translated"] = TextOf(facts.translated, kTristates);
  json["egress"] = ToJson(facts.egress);
  if (facts.ingress) {
    json["ingress"] = ToJson(*facts.ingress);
  }
  PutAddress(json, "masquerade", facts.masquerade);
  json["local_socket"] = ToJson(facts.local_socket);
  json["peer_socket"] = ToJson(facts.peer_socket);
  json["routes"] = RoutesOf(facts);
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
  facts.journey = ValueOf<PathKind>(json.at("path"), kPaths);
  facts.opened_by = ValueOf<OpenedBy>(json.at("opened_by"), kOpeners);
  facts.translated = ValueOf<Tristate>(json.at("translated"), kTristates);
  facts.egress = DeviceOf(json.at("egress"));
  if (json.contains("ingress")) {
    facts.ingress = DeviceOf(json["ingress"]);
  }
  facts.masquerade = AddressOf(json, "masquerade");
  facts.local_socket = SocketOf(json.at("local_socket"));
  facts.peer_socket = SocketOf(json.at("peer_socket"));
  facts.route_anew = RoutesFrom(json.at("routes"));
  return one;
}

}  // namespace

std::string_view NameOf(PacketKind kind) {
  constexpr std::string_view kNames[] = {"fin", "rst", "data", "ack", "peer_fin", "syn", "peer_syn"};
  return kNames[static_cast<std::size_t>(kind)];
}

void NoteRoutes(Connection& connection) {
  if (connection.route_anew) {
    NotedRoutes noted;
    noted.ask = std::move(connection.route_anew);
    connection.route_anew = std::move(noted);
  }
}

std::string ClosedConnections::Text() const {
  std::string text = std::string("{\"tcp_loose\": ") + (tcp_loose ? "true" : "false") + ", \"connections\": [";
  for (std::size_t i = 0; i < all.size(); ++i) {
    text += (i == 0 ? "\n" : ",\n") + ToJson(all[i]).dump();
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

std::vector<EvaluatedPacket> EvaluateAll(const ClosedConnections& connections, const firewall::Ruleset& ruleset,
                                         firewall::RuleResolver& resolver) {
  firewall::eval::ChainEvaluator evaluator(ruleset, &resolver);
  std::vector<EvaluatedPacket> packets;
  for (const ClosedConnection& one : connections.all) {
    firewall::eval::NamespaceSettings settings;
    settings.tcp_loose = connections.tcp_loose;
    settings.early_demultiplexing = Tristate::kYes;
    settings.routes_by_mark = Tristate::kNo;
    settings.conntrack_active =
        firewall::analysis::NeedsConntrack(ruleset, one.facts.family, &resolver) != Tristate::kNo;
    for (const auto& [kind, passed] : one.passed) {
      evaluator.ResetBudget();
      const auto result = firewall::eval::EvaluatePacket(evaluator, one.facts, kind, settings);
      packets.push_back({&one, kind, result.decision, result.reason, passed});
    }
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
