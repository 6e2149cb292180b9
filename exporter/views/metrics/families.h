#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/process/process_report.h"
#include "exporter/scheduling/snapshot.h"

/// One function for each room of metrics that have labels or are concluded from several samples; each appends its
/// families, in the contract's order, and nothing for what is unavailable. The metrics without labels are rows of their
/// collector (CollectorInfo::metrics) and need no code here.
namespace finwait::views::metrics {

using Families = std::vector<prometheus::MetricFamily>;

/// The metrics without labels of one collector.
void AppendRows(const scheduling::CollectorStatus& status, Families& families);

void AppendConntrackStats(const scheduling::Snapshot& snapshot, Families& families);
void AppendConntrackTable(const scheduling::Snapshot& snapshot, Families& families);
void AppendConntrackEvents(const scheduling::Snapshot& snapshot, Families& families);
void AppendSysctl(const scheduling::Snapshot& snapshot, Families& families);
void AppendSockets(const diagnosis::Diagnosis& diagnosis, Families& families);
void AppendNamespaces(const diagnosis::Diagnosis& diagnosis, Families& families);
void AppendFirewall(const diagnosis::Diagnosis& diagnosis, Families& families);
void AppendWitness(const diagnosis::Diagnosis& diagnosis, Families& families);
void AppendRisk(const diagnosis::Diagnosis& diagnosis, Families& families);
void AppendCollectors(const diagnosis::Diagnosis& diagnosis, Families& families);
/// finwait_exporter_* and process_*, of this process and the others.
void AppendProcess(const process::Program& program, Families& families);
void AppendBuildInfo(Families& families);
void AppendRefusedCalls(const process::Program& program, Families& families);
void AppendSandbox(const process::Program& program, Families& families);

}  // namespace finwait::views::metrics
