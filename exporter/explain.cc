#include "exporter/explain.h"

#include <string_view>
#include <system_error>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/entry_text.h"
#include "collectors/kernel/find_socket.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/close_fate.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/diagnosis/forwarded_close.h"
#include "exporter/exit_code.h"
#include "exporter/explain_host.h"
#include "exporter/report/close_report.h"
#include "exporter/views/close.h"

namespace finwait::exporter {
namespace {

using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;

struct EntryNow {
  kernel::SocketEntry entry;
  std::string text;  ///< as conntrack -L prints it
};

// Its entry now: whether there is one, and through which NAT; nothing, and why, when that cannot be asked.
std::optional<EntryNow> FindEntry(const kernel::Host& host, const Endpoint& local, const Endpoint& peer,
                                  std::ostream& err) {
  kernel::TcpSocket socket;
  socket.local = local;
  socket.peer = peer;
  if (!HasConntrack(host)) {
    socket.entry.tracking = kernel::Tracking::kUntracked;
    return EntryNow{socket.entry, ""};
  }
  kernel::SocketTable sockets = {socket};
  const auto zones = std::make_shared<kernel::KnownZones>();
  kernel::EntryJoin join(zones);
  if (const auto joined = join.Join(host, Deadline::After(kExplainLimit), sockets); !joined) {
    err << "finwait_exporter explain: " << joined.error().message << "\n";
    return std::nullopt;
  }
  EntryNow now{sockets[0].entry, ""};
  if (now.entry.tracking == kernel::Tracking::kTracked) {
    // For show: what is concluded hangs on the join alone.
    const auto text = FindEntryText(host, local, peer, zones->Get(), Deadline::After(kExplainLimit));
    now.text = text ? text->value_or("") : "";
  }
  return now;
}

// What the live socket tells, where there is one.
diagnosis::SocketCircumstances CircumstancesOf(const kernel::Host& host, const Endpoint& local, const Endpoint& peer) {
  diagnosis::SocketCircumstances circumstances;
  const auto found = kernel::FindSocket(host, local, peer, Deadline::After(kExplainLimit));
  if (!found || !*found) {
    return circumstances;
  }
  const kernel::TcpSocket& socket = **found;
  circumstances.peer_has_closed = PeerHasClosed(socket.state);
  circumstances.sends_first = socket.SendsBeforeFin();
  return circumstances;
}

// What the command line says of a connection, where no socket does.
void AddWhatIsGiven(const command_line::Options& options, firewall::eval::Connection& connection) {
  using firewall::eval::OpenedBy;
  if (connection.opened_by == OpenedBy::kUnknown && options.opened_here) {
    connection.opened_by = *options.opened_here ? OpenedBy::kLocal : OpenedBy::kPeer;
  }
  const auto add = [](std::optional<std::uint32_t>& known, const std::optional<std::uint32_t>& given) {
    known = known ? known : given;
  };
  add(connection.local_socket.mark, options.mark);
  add(connection.local_socket.user, options.user);
  add(connection.local_socket.group, options.group);
}

constexpr std::pair<std::string_view, PacketKind> kPackets[] = {{"fin", PacketKind::kFin},
                                                                {"rst", PacketKind::kRst},
                                                                {"data", PacketKind::kData},
                                                                {"ack", PacketKind::kAck},
                                                                {"peer_fin", PacketKind::kPeerFin}};

// Where the peer's FIN is dropped only if it closes after this end, that is what to tell of it.
void TellDroppedLaterFin(const diagnosis::CloseOutcome& outcome, diagnosis::CloseEvaluator& evaluator,
                         report::CloseReport& report) {
  for (report::PacketReport& packet : report.packets) {
    if (packet.name == "peer_fin" && packet.passes && diagnosis::IsLost(outcome.peer_fin.decision)) {
      packet = report::ReportPacket(packet.name, outcome.peer_fin, evaluator.Packets());
    }
  }
}

// Which end ports show as the client, where nobody has seen the connection's entry: connect() takes a port of
// net.ipv4.ip_local_port_range, and services are below it. Nothing where both ends or none have such a port.
std::optional<OpenedBy> OpenedByPorts(const kernel::Host& host, const Endpoint& local, const Endpoint& peer) {
  const auto range = kernel::ReadSmallFile(host.procfs / "sys/net/ipv4/ip_local_port_range");
  const auto first = range ? ParseNumber<unsigned>(Words(*range).Next()) : std::nullopt;
  if (!first) {
    return std::nullopt;
  }
  const bool local_is_client = local.port >= *first;
  if (local_is_client == (peer.port >= *first)) {
    return std::nullopt;
  }
  return local_is_client ? OpenedBy::kLocal : OpenedBy::kPeer;
}

// Fills `report` for a connection of another namespace or host. `host_side`: how its packets come in, where that is
// known.
diagnosis::HostPassage EvaluateForwarded(const kernel::SocketEnds& ends,
                                         const std::optional<diagnosis::HostSide>& host_side,
                                         const diagnosis::ConnectionHistory* seen, diagnosis::CloseEvaluator& evaluator,
                                         report::CloseReport& report) {
  diagnosis::ForwardedConnection forwarded;
  forwarded.local = ends.local;
  forwarded.peer = ends.peer;
  forwarded.host_side = host_side;
  forwarded.opened_by = report.taken_to_be_opened_by.value_or(OpenedBy::kUnknown);
  forwarded.tracked = firewall::eval::Tristate::kYes;  // what is asked for is a close of one that had an entry
  report.path = firewall::eval::PathKind::kForwarded;
  for (const auto& [name, kind] : kPackets) {
    report.packets.push_back(report::ReportPacket(
        name, diagnosis::EvaluateForwardedPacket(evaluator, forwarded, seen, kind), evaluator.Packets()));
  }
  const diagnosis::ForwardedOutcome outcome = diagnosis::EvaluateForwardedClose(evaluator, forwarded, seen);
  TellDroppedLaterFin(outcome, evaluator, report);
  report.fate = outcome.fate;
  report.reason = outcome.reason;
  report.passage = outcome.passage;
  return outcome.passage;
}

}  // namespace

std::optional<report::CloseReport> ExplainClose(const command_line::Options& options,
                                                const Result<kernel::Host>& opened,
                                                const std::optional<diagnosis::HostSide>& host_side,
                                                std::ostream& err) {
  auto read = ReadExplainHost(opened, err);
  if (!read) {
    return std::nullopt;
  }
  const kernel::Host& host = read->host;
  const auto& rules = read->firewall->ruleset;
  const Endpoint local{*IpAddress::Parse(options.local.address), options.local.port};
  const Endpoint peer{*IpAddress::Parse(options.peer.address), options.peer.port};

  const auto entry = FindEntry(host, local, peer, err);
  const std::optional<bool> tracked =
      entry ? std::optional(entry->entry.tracking == kernel::Tracking::kTracked) : std::nullopt;
  diagnosis::EvaluationSettings& settings = read->settings;
  const IpFamily family = local.address.Family();
  firewall::read::FactResolver resolver(host);
  const auto facts = std::make_shared<firewall::facts::FactStore>();
  settings.conntrack_active = diagnosis::MayNeedConntrack(*rules, resolver, *facts);
  settings.conntrack_active[family] = settings.conntrack_active[family] || tracked == true;
  diagnosis::CloseEvaluator evaluator(rules, settings, facts);

  diagnosis::ConnectionHistory history;
  if (tracked == true) {
    history.entry_state = entry->entry.state;
    history.source_nat = entry->entry.source_nat;
    history.destination_nat = entry->entry.destination_nat;
    history.translation = entry->entry.translation;
  }
  const diagnosis::ConnectionHistory* seen = tracked == true ? &history : nullptr;
  report::CloseReport report;
  report.tracked = tracked;
  report.entry = entry ? entry->text : "";
  const diagnosis::SocketCircumstances circumstances = CircumstancesOf(host, local, peer);
  std::optional<Error> error;
  diagnosis::EvaluateInRounds(evaluator, &resolver, [&] {
    error.reset();
    report.packets.clear();
    report.passage.reset();
    auto connection = diagnosis::ConnectionBetween(local, peer, evaluator.Packets().Facts());
    if (host_side || !connection || connection->path_kind == firewall::eval::PathKind::kForwarded) {
      report.taken_to_be_opened_by = seen == nullptr ? OpenedByPorts(host, local, peer) : std::nullopt;
      const auto passage = EvaluateForwarded({local, peer}, host_side, seen, evaluator, report);
      if (!host_side && !connection && passage == diagnosis::HostPassage::kInput) {
        error = connection.error();
      }
      return;
    }
    AddWhatIsGiven(options, *connection);
    connection->translated = evaluator.Packets().TranslationOf(*connection, seen).Any();
    report.path = connection->path_kind;
    for (const auto& [name, kind] : kPackets) {
      report.packets.push_back(
          report::ReportPacket(name, evaluator.Packets().EvaluatePath(*connection, kind), evaluator.Packets()));
    }
    const diagnosis::CloseOutcome outcome = evaluator.Evaluate(*connection, seen, circumstances);
    TellDroppedLaterFin(outcome, evaluator, report);
    report.fate = outcome.fate;
    report.reason = outcome.reason;
    if (tracked.value_or(false) && connection->path_kind != firewall::eval::PathKind::kForwarded) {
      const diagnosis::CloseOutcome now = evaluator.EvaluateTracked(*connection, circumstances.peer_has_closed);
      report.fate = DecidesBefore(now, outcome) ? now.fate : outcome.fate;
      report.with_entry = now.fate != diagnosis::Fate::kClean && report.fate == now.fate;
    }
  });
  if (error) {
    err << "finwait_exporter explain: " << error->message << "\n";
    return std::nullopt;
  }
  return report;
}

int ExitCodeOf(diagnosis::Fate fate) {
  return fate == diagnosis::Fate::kClean ? 0 : fate == diagnosis::Fate::kUnknown ? kCannotTell : 1;
}

int RunExplain(const command_line::Options& options, const Result<kernel::Host>& opened, std::ostream& out,
               std::ostream& err) {
  const auto report = ExplainClose(options, opened, std::nullopt, err);
  if (!report) {
    return kCannotTell;
  }
  out << (options.report_format == command_line::ReportFormat::kJson ? views::CloseJson(*report)
                                                                     : views::CloseText(*report));
  return ExitCodeOf(report->fate);
}

}  // namespace finwait::exporter
