#include "exporter/explain_host.h"

#include <utility>

#include "collectors/kernel/entry_count.h"
#include "collectors/kernel/procfs.h"
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

}  // namespace finwait::exporter
