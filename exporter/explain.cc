#include "exporter/explain.h"

#include <nlohmann/json.hpp>

#include "collectors/conntrack_presence.h"
#include "collectors/firewall.h"
#include "collectors/firewall/conntrack_use.h"
#include "collectors/firewall/text/rule_text.h"
#include "collectors/firewall/verdict/nat_effect.h"
#include "collectors/procfs.h"
#include "collectors/routing_rules.h"
#include "collectors/sysctl.h"
#include "collectors/tracking.h"
#include "exporter/diagnosis/fate.h"
#include "exporter/diagnosis/words.h"
#include "exporter/explained_connection.h"
#include "exporter/rule_questions.h"

namespace finwait {
namespace {

using firewall::Journey;
using firewall::PacketKind;
using firewall::PathDecision;
using firewall::PathVerdict;
using Json = nlohmann::ordered_json;

constexpr int kUnknownExit = 3;
constexpr auto kLimit = std::chrono::seconds(30);

struct NamedPacket {
  const char* name;
  PacketKind kind;
  PathVerdict verdict;
};

template <typename Sample>
std::shared_ptr<const Sample> Look(Collector& collector, std::ostream& err) {
  auto collected = collector.Collect(Deadline::After(kLimit));
  if (!collected) {
    err << "finwait_exporter explain: " << collected.error().message << "\n";
    return nullptr;
  }
  return std::static_pointer_cast<const Sample>(collected->data);
}

// Its entry now: whether there is one, and through which NAT; nothing, and why, when that cannot be asked.
std::optional<LiveSocket> FindEntry(const Host& host, const Endpoint& local, const Endpoint& peer, std::ostream& err) {
  LiveSocket socket;
  socket.local = local;
  socket.peer = peer;
  LiveSocketList sockets = {socket};
  if (!HasConntrack(host)) {
    return sockets[0];
  }
  if (auto asked = tracking::AskForEntries(host, {0}, Deadline::After(kLimit), sockets); !asked) {
    err << "finwait_exporter explain: " << asked.error().message << "\n";
    return std::nullopt;
  }
  return sockets[0];
}

// ip_early_demux is for both families, despite its name.
firewall::Truth EarlyDemultiplexing(const Host& host) {
  const auto all = ReadProcfsUnsigned(host.procfs / "sys/net/ipv4/ip_early_demux");
  const auto tcp = ReadProcfsUnsigned(host.procfs / "sys/net/ipv4/tcp_early_demux");
  if (!all || !tcp) {
    return firewall::Truth::kUnknown;
  }
  return firewall::TruthOf(*all != 0 && *tcp != 0);
}

// The rule's text, or the policy's, the way its own tool prints it.
std::string TextOf(const PathVerdict& verdict) {
  if (verdict.table == nullptr || verdict.chain == nullptr) {
    return "";
  }
  const firewall::Table& table = *verdict.table;
  const firewall::Chain& chain = *verdict.chain;
  if (verdict.rule != nullptr) {
    return firewall::RuleText(table, chain, *verdict.rule);
  }
  if (!chain.base || verdict.decision == PathDecision::kUnknown) {
    return "";
  }
  if (table.backend == firewall::Backend::kLegacy || firewall::IsIptablesTable(table)) {
    return "-P " + chain.name + (chain.base->policy_drop ? " DROP" : " ACCEPT");
  }
  return chain.base->policy_drop ? "policy drop" : "policy accept";
}

// Every field is always there; null where nothing fills it. A rule has a handle or an index, a policy has neither.
Json PacketJson(const PathVerdict& verdict) {
  Json json = {{"verdict", firewall::Name(verdict.decision)},
               {"state", verdict.state ? Json(firewall::Name(*verdict.state)) : Json(nullptr)},
               {"hook", verdict.hook ? Json(firewall::Name(*verdict.hook)) : Json(nullptr)}};
  const std::optional<firewall::RuleLocation>& location = verdict.location;
  json["backend"] = location ? Json(firewall::Name(location->backend)) : Json(nullptr);
  json["family"] = location ? Json(firewall::Name(location->family)) : Json(nullptr);
  json["table"] = location ? Json(location->table) : Json(nullptr);
  json["chain"] = location ? Json(location->chain) : Json(nullptr);
  if (location && location->handle) {
    json["handle"] = *location->handle;
  }
  if (location && location->rule_index) {
    json["rule_index"] = *location->rule_index;
  }
  json["text"] = TextOf(verdict);
  json["reason"] = verdict.reason;
  return json;
}

// How its packets travel here.
std::string_view Sentence(Journey journey) {
  switch (journey) {
    case Journey::kLocal:
      return "Its local end is on this host.";
    case Journey::kLoopback:
      return "Both its ends are on this host: what goes out comes in again.";
    case Journey::kForwarded:
      return "Neither end is on this host: it is judged as one that this host forwards.";
  }
  return "";
}

std::string_view Name(Journey journey) {
  switch (journey) {
    case Journey::kLocal:
      return "local";
    case Journey::kLoopback:
      return "loopback";
    case Journey::kForwarded:
      return "forwarded";
  }
  return "";
}

std::string_view Sentence(Fate fate) {
  switch (fate) {
    case Fate::kClean:
      return "it closes cleanly";
    case Fate::kFinDropped:
      return "its FIN never leaves this host: the socket sticks and the peer stays connected";
    case Fate::kAckDropped:
      return "its FIN leaves, and the peer's answer is dropped on its way in: the socket sticks";
    case Fate::kNatLost:
      return "it was translated, and without its entry its FIN goes out untranslated: it never arrives";
    case Fate::kUnknown:
      return "what becomes of it cannot be known";
  }
  return "";
}

void PrintText(Journey journey, Fate fate, const std::string& reason, std::optional<bool> tracked,
               const std::vector<NamedPacket>& packets, std::ostream& out) {
  out << (fate == Fate::kClean     ? "CLEAN"
          : fate == Fate::kUnknown ? "UNKNOWN"
                                   : "NOT CLEAN")
      << " (" << Name(fate) << "): once its conntrack entry is gone, " << Sentence(fate)
      << (reason.empty() ? "" : ": " + reason) << ".\n";
  out << "It has "
      << (!tracked   ? "an entry or not: that cannot be asked"
          : *tracked ? "an entry now"
                     : "no entry now")
      << ". " << Sentence(journey) << "\n\n";
  for (const NamedPacket& packet : packets) {
    const PathVerdict& verdict = packet.verdict;
    out << "  " << packet.name << std::string(10 - std::string_view(packet.name).size(), ' ')
        << firewall::Name(verdict.decision);
    if (verdict.state) {
      out << " as " << firewall::Name(*verdict.state);
    }
    if (verdict.hook) {
      out << " at " << firewall::Name(*verdict.hook);
    }
    if (verdict.location && verdict.decision != PathDecision::kAccept) {
      out << " by " << DescribeLocation(*verdict.location) << "\n            " << TextOf(verdict);
    }
    if (!verdict.reason.empty()) {
      out << "\n            " << verdict.reason;
    }
    out << "\n";
  }
}

}  // namespace

int RunExplain(const Options& options, std::ostream& out, std::ostream& err) {
  const auto host = OpenHost(options.procfs);
  if (!host) {
    err << "finwait_exporter explain: " << host.error().message << "\n";
    return kUnknownExit;
  }
  const Endpoint local{*IpAddress::Parse(options.local.address), options.local.port};
  const Endpoint peer{*IpAddress::Parse(options.peer.address), options.peer.port};

  auto connection = FindConnection(*host, local, peer, Deadline::After(kLimit));
  if (!connection) {
    err << "finwait_exporter explain: " << connection.error().message << "\n";
    return kUnknownExit;
  }

  FirewallCollector firewall_collector(*host);
  SysctlCollector sysctl_collector(*host);
  const auto firewall_sample = Look<FirewallSample>(firewall_collector, err);
  const auto sysctl = Look<SysctlSample>(sysctl_collector, err);
  if (firewall_sample == nullptr || sysctl == nullptr) {
    return kUnknownExit;
  }

  const auto entry = FindEntry(*host, local, peer, err);
  const std::optional<bool> tracked = entry ? std::optional(entry->tracking == Tracking::kTracked) : std::nullopt;
  const KernelQuestions questions = QuestionsTo(*host);
  JudgeSettings settings;
  if (sysctl->conntrack_tcp_loose) {
    settings.tcp_loose = *sysctl->conntrack_tcp_loose != 0;
  }
  const IpFamily family = local.address.Family();
  settings.conntrack_active[static_cast<std::size_t>(family)] =
      tracked == true ||
      firewall::NeedsConntrack(*firewall_sample->ruleset, family, questions.rules.get()) != firewall::Truth::kNo;
  settings.early_demultiplexing = EarlyDemultiplexing(*host);
  if (const auto by_mark = RoutesByMark(*host, family, Deadline::After(kLimit))) {
    settings.routes_by_mark = firewall::TruthOf(*by_mark);
  }
  CloseJudge judge(firewall_sample->ruleset, settings, questions);

  ConnectionPast past;
  if (tracked == true) {
    past.entry_state = entry->entry_state;
    past.source_nat = entry->source_nat;
    past.destination_nat = entry->destination_nat;
  }
  std::vector<NamedPacket> packets = {{"fin", PacketKind::kFin, {}},
                                      {"rst", PacketKind::kRst, {}},
                                      {"data", PacketKind::kData, {}},
                                      {"ack", PacketKind::kAck, {}},
                                      {"peer_fin", PacketKind::kPeerFin, {}}};
  const ConnectionPast* known_past = tracked == true ? &past : nullptr;
  connection->translated = judge.TranslationOf(*connection, known_past).Any();
  connection->opened_by = questions.opened_by(local, peer);
  for (NamedPacket& packet : packets) {
    packet.verdict = judge.JudgePath(*connection, packet.kind);
  }
  const CloseJudgement judgement = judge.Judge(*connection, known_past);

  if (options.report_format == ReportFormat::kJson) {
    Json json = {{"fate", Name(judgement.fate)}, {"tracked", tracked ? Json(*tracked) : Json(nullptr)}};
    json["reason"] = judgement.reason;
    json["journey"] = Name(connection->journey);
    for (const NamedPacket& packet : packets) {
      json[packet.name] = PacketJson(packet.verdict);
    }
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    PrintText(connection->journey, judgement.fate, judgement.reason, tracked, packets, out);
  }
  return judgement.fate == Fate::kClean ? 0 : judgement.fate == Fate::kUnknown ? kUnknownExit : 1;
}

}  // namespace finwait
