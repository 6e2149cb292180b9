#include "exporter/planning/socket_json.h"

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "exporter/planning/rule_json.h"

namespace finwait::planning {
namespace {

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

}  // namespace

Json CloseResultJson(const CloseResult& close) {
  Json json = {{"fate", Name(close.fate)}, {"consequence", close.consequence}};
  if (!close.hook.empty()) {
    json["hook"] = close.hook;
  }
  if (close.rule) {
    json.update(RuleJson(*close.rule));
    json["text"] = close.text;
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
  close.hook = json.value("hook", std::string());
  close.text = json.value("text", std::string());
  if (json.contains("table")) {
    close.rule = RuleIn(json);
  }
  return close;
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
  if (socket.has_queued) {
    json["queued"] = true;
  }
  if (socket.multipath.value_or(false)) {
    json["multipath"] = true;
  }
  PutKnown(json, "mark", facts.mark);
  PutKnown(json, "type_of_service", facts.type_of_service);
  PutKnown(json, "opened_here", facts.opened_here);
  PutKnown(json, "timestamps", facts.timestamps);
  PutKnown(json, "transparent", facts.transparent);
  PutKnown(json, "control_group", facts.control_group);
  PutKnown(json, "class_or_priority", facts.class_or_priority);
  PutKnown(json, "priority", facts.priority);
  if (socket.has_queued) {
    PutKnown(json, "window_closed", facts.window_closed);
  }
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
  socket.has_queued = json.value("queued", false);
  socket.multipath = json.value("multipath", false);
  facts.bound_device = json.value("bound_device", std::uint32_t{0});
  TakeKnown(json, "mark", facts.mark);
  TakeKnown(json, "type_of_service", facts.type_of_service);
  TakeKnown(json, "opened_here", facts.opened_here);
  TakeKnown(json, "timestamps", facts.timestamps);
  TakeKnown(json, "transparent", facts.transparent);
  TakeKnown(json, "control_group", facts.control_group);
  TakeKnown(json, "class_or_priority", facts.class_or_priority);
  TakeKnown(json, "priority", facts.priority);
  TakeKnown(json, "window_closed", facts.window_closed);
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

}  // namespace finwait::planning
