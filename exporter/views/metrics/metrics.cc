#include "exporter/views/metrics/metrics.h"

#include "exporter/views/metrics/families.h"

namespace finwait::views::metrics {

std::vector<prometheus::MetricFamily> MetricFamilies(const diagnosis::Diagnosis& diagnosis, bool exporter_metrics) {
  Families families;
  const scheduling::Snapshot& snapshot = *diagnosis.snapshot;
  AppendConntrackStats(snapshot, families);
  AppendConntrackTable(snapshot, families);
  AppendConntrackEvents(snapshot, families);
  AppendSysctl(snapshot, families);
  AppendSockets(diagnosis, families);
  AppendNetstat(snapshot, families);
  AppendFirewall(diagnosis, families);
  AppendRisk(diagnosis, families);
  AppendCollectors(diagnosis, families);
  AppendBuildInfo(families);
  AppendRefusedCalls(families);
  if (exporter_metrics) {
    AppendProcess(families);
  }
  return families;
}

}  // namespace finwait::views::metrics
