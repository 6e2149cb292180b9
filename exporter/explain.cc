#include "exporter/explain.h"

#include <string_view>
#include <utility>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "collectors/firewall/eval/nat_effect.h"
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

  auto connection = diagnosis::FindConnection(*host, local, peer, Deadline::After(kLimit));
  if (!connection) {
    err << "finwait_exporter explain: " << connection.error().message << "\n";
    return kUnknownExit;
  }

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
  const diagnosis::ConnectionHistory* known_past = tracked == true ? &past : nullptr;
  connection->translated = judge.TranslationOf(*connection, known_past).Any();
  connection->opened_by = questions.opened_by(local, peer);
  report::CloseReport report;
  report.tracked = tracked;
  report.path = connection->journey;
  for (const auto& [name, kind] : kPackets) {
    report.packets.push_back(report::ReportPacket(name, judge.EvaluatePath(*connection, kind)));
  }
  const diagnosis::CloseOutcome outcome = judge.Evaluate(*connection, known_past);
  report.fate = outcome.fate;
  report.reason = outcome.reason;
  out << (options.report_format == command_line::ReportFormat::kJson ? views::CloseJson(report)
                                                                     : views::CloseText(report));
  return report.fate == diagnosis::Fate::kClean ? 0 : report.fate == diagnosis::Fate::kUnknown ? kUnknownExit : 1;
}

}  // namespace finwait::exporter
