#include "exporter/views/metrics/metrics.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "exporter/views/metrics/families.h"

namespace finwait::views::metrics {
namespace {

// Collectors whose rows stand behind their families with labels. The rows of all others stand together behind them.
constexpr std::string_view kWithLabels[] = {"conntrack_stats", "sysctl"};

void AppendRowsOf(std::string_view collector, const scheduling::Snapshot& snapshot, Families& families) {
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    if (status.info->name == collector) {
      AppendRows(status, families);
    }
  }
}

void AppendOtherRows(const scheduling::Snapshot& snapshot, Families& families) {
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    if (std::find(std::begin(kWithLabels), std::end(kWithLabels), status.info->name) == std::end(kWithLabels)) {
      AppendRows(status, families);
    }
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> MetricFamilies(const diagnosis::Diagnosis& diagnosis, bool exporter_metrics,
                                                     const process::Program& program) {
  Families families;
  const scheduling::Snapshot& snapshot = *diagnosis.snapshot;
  AppendConntrackStats(snapshot, families);
  AppendRowsOf("conntrack_stats", snapshot, families);
  AppendConntrackTable(snapshot, families);
  AppendConntrackEvents(snapshot, families);
  AppendSysctl(snapshot, families);
  AppendRowsOf("sysctl", snapshot, families);
  AppendSockets(diagnosis, families);
  AppendNamespaces(diagnosis, families);
  AppendOtherRows(snapshot, families);
  AppendFirewall(diagnosis, families);
  AppendWitness(diagnosis, families);
  AppendRisk(diagnosis, families);
  AppendCollectors(diagnosis, families);
  AppendBuildInfo(families);
  AppendRefusedCalls(program, families);
  AppendSandbox(program, families);
  if (exporter_metrics) {
    AppendProcess(program, families);
  }
  return families;
}

}  // namespace finwait::views::metrics
