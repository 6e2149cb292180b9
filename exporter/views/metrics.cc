#include "exporter/views/metrics.h"

#include "exporter/views/metrics/families.h"

namespace finwait {

std::vector<prometheus::MetricFamily> MetricFamilies(const Diagnosis& diagnosis, bool exporter_metrics) {
  metrics::Families families;
  const Snapshot& snapshot = *diagnosis.snapshot;
  metrics::AppendConntrackStats(snapshot, families);
  metrics::AppendConntrackTable(snapshot, families);
  metrics::AppendConntrackEvents(snapshot, families);
  metrics::AppendSysctl(snapshot, families);
  metrics::AppendSockets(diagnosis, families);
  metrics::AppendNetstat(snapshot, families);
  metrics::AppendFirewall(diagnosis, families);
  metrics::AppendRisk(diagnosis, families);
  metrics::AppendCollectors(diagnosis, families);
  metrics::AppendBuildInfo(families);
  metrics::AppendRefusedCalls(families);
  if (exporter_metrics) {
    metrics::AppendProcess(families);
  }
  return families;
}

}  // namespace finwait
