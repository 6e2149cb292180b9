#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/sampling/snapshot.h"

/// One function for each room of metrics; each appends its families, in the contract's order, and nothing for what is
/// blind.
namespace finwait::metrics {

using Families = std::vector<prometheus::MetricFamily>;

void AppendConntrackStats(const Snapshot& snapshot, Families& families);
void AppendConntrackTable(const Snapshot& snapshot, Families& families);
void AppendConntrackEvents(const Snapshot& snapshot, Families& families);
void AppendSysctl(const Snapshot& snapshot, Families& families);
void AppendSockets(const Diagnosis& diagnosis, Families& families);
void AppendNetstat(const Snapshot& snapshot, Families& families);
void AppendFirewall(const Diagnosis& diagnosis, Families& families);
void AppendRisk(const Diagnosis& diagnosis, Families& families);
void AppendCollectors(const Diagnosis& diagnosis, Families& families);
/// finwait_exporter_build_info and process_*; `exporter_metrics` is false for --web.disable-exporter-metrics.
void AppendProcess(Families& families);
void AppendBuildInfo(Families& families);
void AppendRefusedCalls(Families& families);

}  // namespace finwait::metrics
