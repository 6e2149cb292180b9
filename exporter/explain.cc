#include "exporter/explain.h"

#include <string_view>
#include <utility>

#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/entry_text.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "exporter/diagnosis/paths.h"
#include "exporter/report/close_report.h"
#include "exporter/views/close.h"

namespace finwait::exporter {
namespace {

using firewall::eval::PacketKind;

constexpr int kUnknownExit = 3;
constexpr auto kLimit = std::chrono::seconds(30);

template <typename Sample>
std::shared_ptr<const Sample> Collect(sources::Collector& collector, std::ostream& err) {
  auto collected = collector.Collect(Deadline::After(kLimit));
  if (!collected) {
    err << "finwait_exporter explain: " << collected.error().message << "\n";
    return nullptr;
  }
  return std::static_pointer_cast<const Sample>(collected->data);
}

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
  if (const auto joined = join.Join(host, Deadline::After(kLimit), sockets); !joined) {
    err << "finwait_exporter explain: " << joined.error().message << "\n";
    return std::nullopt;
  }
  EntryNow now{sockets[0].entry, ""};
  if (now.entry.tracking == kernel::Tracking::kTracked) {
    // For show: what is concluded hangs on the join alone.
    const auto text = FindEntryText(host, local, peer, zones->Get(), Deadline::After(kLimit));
    now.text = text ? text->value_or("") : "";
  }
  return now;
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
  const auto firewall_sample = Collect<sources::FirewallSample>(firewall_collector, err);
  const auto sysctl = Collect<sources::SysctlSample>(sysctl_collector, err);
  if (firewall_sample == nullptr || sysctl == nullptr) {
    return kUnknownExit;
  }

  const auto entry = FindEntry(*host, local, peer, err);
  const std::optional<bool> tracked =
      entry ? std::optional(entry->entry.tracking == kernel::Tracking::kTracked) : std::nullopt;
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
    history.entry_state = entry->entry.state;
    history.source_nat = entry->entry.source_nat;
    history.destination_nat = entry->entry.destination_nat;
  }
  const diagnosis::ConnectionHistory* seen = tracked == true ? &history : nullptr;
  report::CloseReport report;
  report.tracked = tracked;
  report.entry = entry ? entry->text : "";
  std::optional<Error> error;
  diagnosis::EvaluateInRounds(evaluator, &resolver, [&] {
    auto connection = diagnosis::ConnectionBetween(local, peer, evaluator.Facts());
    if (!connection) {
      error = connection.error();
      return;
    }
    error.reset();
    AddWhatIsGiven(options, *connection);
    connection->translated = evaluator.TranslationOf(*connection, seen).Any();
    report.path = connection->journey;
    report.packets.clear();
    for (const auto& [name, kind] : kPackets) {
      report.packets.push_back(report::ReportPacket(name, evaluator.EvaluatePath(*connection, kind), evaluator));
    }
    const diagnosis::CloseOutcome outcome = evaluator.Evaluate(*connection, seen);
    report.fate = outcome.fate;
    report.reason = outcome.reason;
  });
  if (error) {
    err << "finwait_exporter explain: " << error->message << "\n";
    return kUnknownExit;
  }
  out << (options.report_format == command_line::ReportFormat::kJson ? views::CloseJson(report)
                                                                     : views::CloseText(report));
  return report.fate == diagnosis::Fate::kClean ? 0 : report.fate == diagnosis::Fate::kUnknown ? kUnknownExit : 1;
}

}  // namespace finwait::exporter
