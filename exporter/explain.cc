#include "exporter/explain.h"

#include <nlohmann/json.hpp>

#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/print/rule_text.h"
#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/diagnosis/paths.h"
#include "exporter/report/describe.h"

namespace finwait::exporter {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::TraversalResult;
using Json = nlohmann::ordered_json;

constexpr int kUnknownExit = 3;
constexpr auto kLimit = std::chrono::seconds(30);

struct NamedPacket {
  const char* name;
  PacketKind kind;
  TraversalResult verdict;
  std::string text;  // of the rule that decides, or of the policy
};

template <typename Sample>
std::shared_ptr<const Sample> Look(sources::Collector& collector, std::ostream& err) {
  auto collected = collector.Collect(Deadline::After(kLimit));
  if (!collected) {
    err << "finwait_exporter explain: " << collected.error().message << "\n";
    return nullptr;
  }
  return std::static_pointer_cast<const Sample>(collected->data);
}

// Its entry now: whether there is one, and through which NAT; nothing, and why, when that cannot be asked.
std::optional<kernel::LiveSocket> FindEntry(const kernel::Host& host, const Endpoint& local, const Endpoint& peer,
                                            std::ostream& err) {
  kernel::LiveSocket socket;
  socket.local = local;
  socket.peer = peer;
  kernel::LiveSocketList sockets = {socket};
  if (!HasConntrack(host)) {
    return sockets[0];
  }
  if (auto asked = sources::tracking::AskForEntries(host, {0}, Deadline::After(kLimit), sockets); !asked) {
    err << "finwait_exporter explain: " << asked.error().message << "\n";
    return std::nullopt;
  }
  return sockets[0];
}

// The rule's text, or the policy's, the way its own tool prints it.
std::string TextOf(const TraversalResult& verdict, diagnosis::CloseEvaluator& evaluator) {
  if (!verdict.location || (verdict.location->IsPolicy() && verdict.decision == Disposition::kUnknown)) {
    return "";
  }
  const firewall::eval::RulePlace place = evaluator.FindRule(*verdict.location);
  if (place.rule != nullptr) {
    return firewall::print::RuleText(*place.table, *place.chain, *place.rule);
  }
  if (place.chain == nullptr || !place.chain->base || !verdict.location->IsPolicy()) {
    return "";
  }
  const bool drops = place.chain->base->policy_drop;
  if (place.table->dialect == firewall::Dialect::kIptables) {
    return "-P " + place.chain->name + (drops ? " DROP" : " ACCEPT");
  }
  return drops ? "policy drop" : "policy accept";
}

// Every field is always there; null where nothing fills it. A rule has a handle or an index, a policy has neither.
Json PacketJson(const NamedPacket& packet) {
  const TraversalResult& verdict = packet.verdict;
  Json json = {{"verdict", firewall::eval::Name(verdict.decision)},
               {"state", verdict.state ? Json(firewall::eval::Name(*verdict.state)) : Json(nullptr)},
               {"hook", verdict.hook ? Json(firewall::Name(*verdict.hook)) : Json(nullptr)}};
  const std::optional<firewall::RuleId>& location = verdict.location;
  json["backend"] = location ? Json(firewall::Name(location->backend)) : Json(nullptr);
  json["family"] = location ? Json(firewall::Name(location->family)) : Json(nullptr);
  json["table"] = location ? Json(location->table) : Json(nullptr);
  json["chain"] = location ? Json(location->chain) : Json(nullptr);
  if (location && location->handle) {
    json["handle"] = *location->handle;
  }
  if (location && location->index) {
    json["rule_index"] = *location->index;
  }
  json["text"] = packet.text;
  json["reason"] = verdict.reason;
  return json;
}

// How its packets travel here.
std::string_view Sentence(PathKind journey) {
  switch (journey) {
    case PathKind::kLocal:
      return "Its local end is on this host.";
    case PathKind::kLoopback:
      return "Both its ends are on this host: what goes out comes in again.";
    case PathKind::kForwarded:
      return "Neither end is on this host: it is judged as one that this host forwards.";
  }
  return "";
}

std::string_view Name(PathKind journey) {
  switch (journey) {
    case PathKind::kLocal:
      return "local";
    case PathKind::kLoopback:
      return "loopback";
    case PathKind::kForwarded:
      return "forwarded";
  }
  return "";
}

std::string_view Sentence(diagnosis::Fate fate) {
  switch (fate) {
    case diagnosis::Fate::kClean:
      return "it closes cleanly";
    case diagnosis::Fate::kFinDropped:
      return "its FIN never leaves this host: the socket sticks and the peer stays connected";
    case diagnosis::Fate::kAckDropped:
      return "its FIN leaves, and the peer's answer is dropped on its way in: the socket sticks";
    case diagnosis::Fate::kNatLost:
      return "it was translated, and without its entry its FIN goes out untranslated: it never arrives";
    case diagnosis::Fate::kUnknown:
      return "what becomes of it cannot be known";
  }
  return "";
}

void PrintText(PathKind journey, diagnosis::Fate fate, const std::string& reason, std::optional<bool> tracked,
               const std::vector<NamedPacket>& packets, std::ostream& out) {
  out << (fate == diagnosis::Fate::kClean     ? "CLEAN"
          : fate == diagnosis::Fate::kUnknown ? "UNKNOWN"
                                              : "NOT CLEAN")
      << " (" << Name(fate) << "): once its conntrack entry is gone, " << Sentence(fate)
      << (reason.empty() ? "" : ": " + reason) << ".\n";
  out << "It has "
      << (!tracked   ? "an entry or not: that cannot be asked"
          : *tracked ? "an entry now"
                     : "no entry now")
      << ". " << Sentence(journey) << "\n\n";
  for (const NamedPacket& packet : packets) {
    const TraversalResult& verdict = packet.verdict;
    out << "  " << packet.name << std::string(10 - std::string_view(packet.name).size(), ' ')
        << firewall::eval::Name(verdict.decision);
    if (verdict.state) {
      out << " as " << firewall::eval::Name(*verdict.state);
    }
    if (verdict.hook) {
      out << " at " << firewall::Name(*verdict.hook);
    }
    if (verdict.location && verdict.decision != Disposition::kAccept) {
      out << " by " << report::Describe(*verdict.location) << "\n            " << packet.text;
    }
    if (!verdict.reason.empty()) {
      out << "\n            " << verdict.reason;
    }
    out << "\n";
  }
}

}  // namespace

int RunExplain(const command_line::Options& options, std::ostream& out, std::ostream& err) {
  const auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    err << "finwait_exporter explain: " << host.error().message << "\n";
    return kUnknownExit;
  }
  const Endpoint local{*IpAddress::Parse(options.local.address), options.local.port};
  const Endpoint peer{*IpAddress::Parse(options.peer.address), options.peer.port};

  sources::FirewallCollector firewall_collector(*host);
  sources::SysctlCollector sysctl_collector(*host);
  const auto firewall_sample = Look<sources::FirewallSample>(firewall_collector, err);
  const auto sysctl = Look<sources::SysctlSample>(sysctl_collector, err);
  if (firewall_sample == nullptr || sysctl == nullptr) {
    return kUnknownExit;
  }

  const auto entry = FindEntry(*host, local, peer, err);
  const std::optional<bool> tracked =
      entry ? std::optional(entry->tracking == kernel::Tracking::kTracked) : std::nullopt;
  diagnosis::EvaluationSettings settings;
  if (sysctl->conntrack_tcp_loose) {
    settings.tcp_loose = *sysctl->conntrack_tcp_loose != 0;
  }
  const IpFamily family = local.address.Family();
  firewall::read::FactResolver resolver(*host);
  const auto facts = std::make_shared<firewall::facts::FactStore>();
  settings.conntrack_active[static_cast<std::size_t>(family)] =
      tracked == true || diagnosis::MayNeedConntrack(*firewall_sample->ruleset, family, resolver, *facts);
  diagnosis::CloseEvaluator evaluator(firewall_sample->ruleset, settings, facts);

  diagnosis::ConnectionHistory history;
  if (tracked == true) {
    history.entry_state = entry->entry_state;
    history.source_nat = entry->source_nat;
    history.destination_nat = entry->destination_nat;
  }
  const diagnosis::ConnectionHistory* seen = tracked == true ? &history : nullptr;
  std::vector<NamedPacket> packets = {{"fin", PacketKind::kFin, {}, {}},
                                      {"rst", PacketKind::kRst, {}, {}},
                                      {"data", PacketKind::kData, {}, {}},
                                      {"ack", PacketKind::kAck, {}, {}},
                                      {"peer_fin", PacketKind::kPeerFin, {}, {}}};
  Result<firewall::eval::Connection> connection = firewall::eval::Connection();
  diagnosis::CloseOutcome outcome;
  diagnosis::EvaluateInRounds(evaluator, &resolver, [&] {
    connection = diagnosis::ConnectionBetween(local, peer, evaluator.Facts());
    if (!connection) {
      return;
    }
    connection->translated = evaluator.TranslationOf(*connection, seen).Any();
    for (NamedPacket& packet : packets) {
      packet.verdict = evaluator.EvaluatePath(*connection, packet.kind);
      packet.text = TextOf(packet.verdict, evaluator);
    }
    outcome = evaluator.Evaluate(*connection, seen);
  });
  if (!connection) {
    err << "finwait_exporter explain: " << connection.error().message << "\n";
    return kUnknownExit;
  }

  if (options.report_format == command_line::ReportFormat::kJson) {
    Json json = {{"fate", Name(outcome.fate)}, {"tracked", tracked ? Json(*tracked) : Json(nullptr)}};
    json["reason"] = outcome.reason;
    json["journey"] = Name(connection->journey);
    for (const NamedPacket& packet : packets) {
      json[packet.name] = PacketJson(packet);
    }
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    PrintText(connection->journey, outcome.fate, outcome.reason, tracked, packets, out);
  }
  return outcome.fate == diagnosis::Fate::kClean ? 0 : outcome.fate == diagnosis::Fate::kUnknown ? kUnknownExit : 1;
}

}  // namespace finwait::exporter
