#include "exporter/explain.h"

#include <nlohmann/json.hpp>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/print/rule_text.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/routing_rules.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/kernel_queries.h"
#include "exporter/report/explanation.h"

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
std::optional<kernel::TcpSocket> FindEntry(const kernel::Host& host, const Endpoint& local, const Endpoint& peer,
                                           std::ostream& err) {
  kernel::TcpSocket socket;
  socket.local = local;
  socket.peer = peer;
  if (!HasConntrack(host)) {
    socket.entry.tracking = kernel::Tracking::kUntracked;
    return socket;
  }
  kernel::SocketTable sockets = {socket};
  kernel::EntryJoin join(std::make_shared<kernel::KnownZones>());
  if (const auto joined = join.Join(host, Deadline::After(kLimit), sockets); !joined) {
    err << "finwait_exporter explain: " << joined.error().message << "\n";
    return std::nullopt;
  }
  return sockets[0];
}

// ip_early_demux is for both families, despite its name.
firewall::eval::Tristate EarlyDemultiplexing(const kernel::Host& host) {
  const auto all = kernel::ReadProcfsUnsigned(host.procfs / "sys/net/ipv4/ip_early_demux");
  const auto tcp = kernel::ReadProcfsUnsigned(host.procfs / "sys/net/ipv4/tcp_early_demux");
  if (!all || !tcp) {
    return firewall::eval::Tristate::kUnknown;
  }
  return firewall::eval::TristateOf(*all != 0 && *tcp != 0);
}

// The rule's text, or the policy's, the way its own tool prints it.
std::string TextOf(const TraversalResult& verdict) {
  if (verdict.table == nullptr || verdict.chain == nullptr) {
    return "";
  }
  const firewall::Table& table = *verdict.table;
  const firewall::Chain& chain = *verdict.chain;
  if (verdict.rule != nullptr) {
    return firewall::print::RuleText(table, chain, *verdict.rule);
  }
  if (!chain.base || verdict.decision == Disposition::kUnknown) {
    return "";
  }
  if (table.backend == firewall::Backend::kLegacy || firewall::print::IsIptablesTable(table)) {
    return "-P " + chain.name + (chain.base->policy_drop ? " DROP" : " ACCEPT");
  }
  return chain.base->policy_drop ? "policy drop" : "policy accept";
}

// Every field is always there; null where nothing fills it. A rule has a handle or an index, a policy has neither.
Json PacketJson(const TraversalResult& verdict) {
  Json json = {{"verdict", firewall::eval::Name(verdict.decision)},
               {"state", verdict.state ? Json(firewall::eval::Name(*verdict.state)) : Json(nullptr)},
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
      out << " by " << report::DescribeLocation(*verdict.location) << "\n            " << TextOf(verdict);
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

  auto connection = diagnosis::FindConnection(*host, local, peer, Deadline::After(kLimit));
  if (!connection) {
    err << "finwait_exporter explain: " << connection.error().message << "\n";
    return kUnknownExit;
  }

  sources::FirewallCollector firewall_collector(*host);
  sources::SysctlCollector sysctl_collector(*host);
  const auto firewall_sample = Look<sources::FirewallSample>(firewall_collector, err);
  const auto sysctl = Look<sources::SysctlSample>(sysctl_collector, err);
  if (firewall_sample == nullptr || sysctl == nullptr) {
    return kUnknownExit;
  }

  const auto entry = FindEntry(*host, local, peer, err);
  const std::optional<bool> tracked =
      entry ? std::optional(entry->entry.tracking == kernel::Tracking::kTracked) : std::nullopt;
  const diagnosis::KernelQueries questions = diagnosis::QueriesTo(*host);
  diagnosis::EvaluationSettings settings;
  if (sysctl->conntrack_tcp_loose) {
    settings.tcp_loose = *sysctl->conntrack_tcp_loose != 0;
  }
  const IpFamily family = local.address.Family();
  settings.conntrack_active[static_cast<std::size_t>(family)] =
      tracked == true || firewall::analysis::NeedsConntrack(*firewall_sample->ruleset, family, questions.rules.get()) !=
                             firewall::eval::Tristate::kNo;
  settings.early_demultiplexing = EarlyDemultiplexing(*host);
  if (const auto by_mark = RoutesByMark(*host, family, Deadline::After(kLimit))) {
    settings.routes_by_mark = firewall::eval::TristateOf(*by_mark);
  }
  diagnosis::CloseEvaluator judge(firewall_sample->ruleset, settings, questions);

  diagnosis::ConnectionHistory past;
  if (tracked == true) {
    past.entry_state = entry->entry.state;
    past.source_nat = entry->entry.source_nat;
    past.destination_nat = entry->entry.destination_nat;
  }
  std::vector<NamedPacket> packets = {{"fin", PacketKind::kFin, {}},
                                      {"rst", PacketKind::kRst, {}},
                                      {"data", PacketKind::kData, {}},
                                      {"ack", PacketKind::kAck, {}},
                                      {"peer_fin", PacketKind::kPeerFin, {}}};
  const diagnosis::ConnectionHistory* known_past = tracked == true ? &past : nullptr;
  connection->translated = judge.TranslationOf(*connection, known_past).Any();
  connection->opened_by = questions.opened_by(local, peer);
  for (NamedPacket& packet : packets) {
    packet.verdict = judge.EvaluatePath(*connection, packet.kind);
  }
  const diagnosis::CloseOutcome judgement = judge.Evaluate(*connection, known_past);

  if (options.report_format == command_line::ReportFormat::kJson) {
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
  return judgement.fate == diagnosis::Fate::kClean ? 0 : judgement.fate == diagnosis::Fate::kUnknown ? kUnknownExit : 1;
}

}  // namespace finwait::exporter
