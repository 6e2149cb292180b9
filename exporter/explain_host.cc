#include "exporter/explain_host.h"

#include <utility>

#include "collectors/base/text.h"
#include "collectors/kernel/conntrack_presence.h"
#include "collectors/kernel/entry_count.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/entry_text.h"
#include "collectors/kernel/find_socket.h"
#include "collectors/kernel/procfs.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"

namespace finwait::exporter {
namespace {

template <typename Sample>
std::shared_ptr<const Sample> Collect(sources::Collector& collector, std::ostream& err) {
  auto collected = collector.Collect(Deadline::After(kExplainLimit));
  if (!collected) {
    err << "finwait_exporter explain: " << collected.error().message << "\n";
    return nullptr;
  }
  return std::static_pointer_cast<const Sample>(collected->data);
}

// Whether it has an entry, and what that tells.
void AddEntry(const kernel::Host& host, std::ostream& err, ConnectionNow& now) {
  if (!HasConntrack(host)) {
    now.tracked = false;
    return;
  }
  kernel::TcpSocket socket;
  socket.local = now.connection.local;
  socket.peer = now.connection.peer;
  kernel::SocketTable sockets = {socket};
  const auto zones = std::make_shared<kernel::KnownZones>();
  kernel::EntryJoin join(zones);
  if (const auto joined = join.Join(host, Deadline::After(kExplainLimit), sockets); !joined) {
    err << "finwait_exporter explain: " << joined.error().message << "\n";
    return;
  }
  const kernel::SocketEntry entry = sockets[0].entry;
  now.tracked = entry.tracking == kernel::Tracking::kTracked;
  if (!*now.tracked) {
    return;
  }
  diagnosis::ConnectionHistory& history = now.connection.entry.emplace();
  history.entry_end = diagnosis::ExpiryReason::kStillThere;
  history.entry_state = entry.state;
  history.source_nat = entry.source_nat;
  history.destination_nat = entry.destination_nat;
  history.translation = entry.translation;
  // For show: what is concluded hangs on the join alone.
  const auto text = FindEntryText(host, socket.local, socket.peer, zones->Get(), Deadline::After(kExplainLimit));
  now.entry_text = text ? text->value_or("") : "";
}

// What the live socket tells, where there is one.
diagnosis::SocketCircumstances CircumstancesOf(const kernel::Host& host, const Endpoint& local, const Endpoint& peer) {
  const auto found = kernel::FindSocket(host, local, peer, Deadline::After(kExplainLimit));
  return found && *found ? diagnosis::SocketCircumstances::Of(**found) : diagnosis::SocketCircumstances();
}

}  // namespace

// Whether a full conntrack table holds something to evict is asked only of a full one.
diagnosis::EvaluationSettings ReadSettings(const kernel::Host& host, const sources::SysctlSample* sysctl) {
  sources::ConntrackStatsSample stats;
  const auto entries = kernel::CountEntries(host);
  const auto limit = kernel::ReadProcfsUnsigned(host.procfs / "sys/net/netfilter/nf_conntrack_max");
  std::shared_ptr<const sources::ConntrackTableSample> table;
  if (entries && limit) {
    stats.entries = *entries;
    stats.entries_limit = *limit;
    if (*entries >= *limit) {
      sources::ConntrackTableCollector collector(host);
      if (const auto collected = collector.Collect(Deadline::After(kExplainLimit))) {
        table = std::static_pointer_cast<const sources::ConntrackTableSample>(collected->data);
      }
    }
  }
  diagnosis::EvaluationSettings settings;
  TakeSettings(sysctl, &stats, table.get(), settings);
  return settings;
}

std::optional<ExplainHost> ReadExplainHost(const Result<kernel::Host>& host, std::ostream& err) {
  if (!host) {
    err << "finwait_exporter explain: " << host.error().message << "\n";
    return std::nullopt;
  }
  sources::FirewallCollector firewall_collector(*host, firewall::read::ReaderLimits::OfClasses());
  sources::SysctlCollector sysctl_collector(*host);
  auto firewall = Collect<sources::FirewallSample>(firewall_collector, err);
  const auto sysctl = Collect<sources::SysctlSample>(sysctl_collector, err);
  if (firewall == nullptr || sysctl == nullptr) {
    return std::nullopt;
  }
  return ExplainHost{*host, std::move(firewall), ReadSettings(*host, sysctl.get())};
}

ConnectionNow ReadConnection(const kernel::Host& host, const Endpoint& local, const Endpoint& peer, std::ostream& err) {
  ConnectionNow now;
  now.connection.local = local;
  now.connection.peer = peer;
  AddEntry(host, err, now);
  now.connection.circumstances = CircumstancesOf(host, local, peer);
  const auto ports = kernel::ReadSmallFile(host.procfs / "sys/net/ipv4/ip_local_port_range");
  now.connection.first_client_port = ports ? ParseNumber<unsigned>(Words(*ports).Next()) : std::nullopt;
  return now;
}

}  // namespace finwait::exporter
