#include "exporter/explain.h"

#include <nlohmann/json.hpp>

#include "collectors/firewall.h"
#include "collectors/firewall/conntrack_use.h"
#include "collectors/firewall/text/rule_text.h"
#include "collectors/firewall/verdict/nat_effect.h"
#include "collectors/route.h"
#include "collectors/sysctl.h"
#include "collectors/tracking.h"
#include "exporter/diagnosis/fate.h"
#include "exporter/diagnosis/words.h"
#include "exporter/rule_questions.h"

namespace finwait {
namespace {

using firewall::Connection;
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

// Its entry now: whether there is one, and through which NAT; nothing when that cannot be asked.
std::optional<LiveSocket> FindEntry(const Host& host, const Endpoint& local, const Endpoint& peer) {
  std::vector<LiveSocket> sockets(1);
  sockets[0].local = local;
  sockets[0].peer = peer;
  if (!tracking::AskForEntries(host, {0}, Deadline::After(kLimit), sockets)) {
    return std::nullopt;
  }
  return sockets[0];
}

// The rule's text, or the policy's.
std::string TextOf(const PathVerdict& verdict) {
  if (verdict.table == nullptr || verdict.chain == nullptr) {
    return "";
  }
  if (verdict.rule != nullptr) {
    return firewall::RuleText(*verdict.table, *verdict.chain, *verdict.rule);
  }
  return "policy of chain " + verdict.chain->name;
}

Json PacketJson(const PathVerdict& verdict) {
  Json json = {{"verdict", firewall::Name(verdict.decision)},
               {"state", verdict.state ? Json(firewall::Name(*verdict.state)) : Json(nullptr)},
               {"hook", verdict.hook ? Json(firewall::Name(*verdict.hook)) : Json(nullptr)}};
  if (verdict.location) {
    const firewall::RuleLocation& location = *verdict.location;
    json["backend"] = firewall::Name(location.backend);
    json["family"] = firewall::Name(location.family);
    json["table"] = location.table;
    json["chain"] = location.chain;
    if (location.handle) {
      json["handle"] = *location.handle;
    }
    if (location.rule_index) {
      json["rule_index"] = *location.rule_index;
    }
  }
  json["text"] = TextOf(verdict);
  json["reason"] = verdict.reason;
  return json;
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

void PrintText(Fate fate, const std::string& reason, std::optional<bool> tracked,
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
      << ".\n\n";
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

  FirewallCollector firewall_collector(*host);
  SysctlCollector sysctl_collector(*host);
  const auto firewall_sample = Look<FirewallSample>(firewall_collector, err);
  const auto sysctl = Look<SysctlSample>(sysctl_collector, err);
  if (firewall_sample == nullptr || sysctl == nullptr) {
    return kUnknownExit;
  }

  const auto entry = FindEntry(*host, local, peer);
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
  CloseJudge judge(firewall_sample->ruleset, settings, questions);

  LiveSocket socket;
  socket.local = local;
  socket.peer = peer;
  std::optional<Route> route;
  if (const auto found = LookUpRoute(*host, local.address, peer.address, Deadline::After(kLimit))) {
    route = *found;
  }
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
  const Connection connection = judge.ConnectionFor(socket, route);
  for (NamedPacket& packet : packets) {
    packet.verdict = judge.JudgePath(connection, packet.kind);
  }
  const CloseJudgement judgement = judge.Judge(connection, tracked == true ? &past : nullptr);

  if (options.report_format == ReportFormat::kJson) {
    Json json = {{"fate", Name(judgement.fate)}, {"tracked", tracked ? Json(*tracked) : Json(nullptr)}};
    json["reason"] = judgement.reason;
    for (const NamedPacket& packet : packets) {
      json[packet.name] = PacketJson(packet.verdict);
    }
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    PrintText(judgement.fate, judgement.reason, tracked, packets, out);
  }
  return judgement.fate == Fate::kClean ? 0 : judgement.fate == Fate::kUnknown ? kUnknownExit : 1;
}

}  // namespace finwait
