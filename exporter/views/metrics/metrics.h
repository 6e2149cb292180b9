#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/process/process_report.h"

namespace finwait::views::metrics {

/// Everything of a diagnosis that Prometheus scrapes, in the contract's order. Unavailable collectors' families are
/// left out. `exporter_metrics`: whether process_* is among them (--web.disable-exporter-metrics). `program`: what its
/// processes say of themselves.
std::vector<prometheus::MetricFamily> MetricFamilies(const diagnosis::Diagnosis& diagnosis, bool exporter_metrics,
                                                     const process::Program& program = {});

}  // namespace finwait::views::metrics
