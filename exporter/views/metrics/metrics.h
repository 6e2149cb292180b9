#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::views::metrics {

/// Everything of a diagnosis that Prometheus scrapes, in the contract's order. Blind collectors' families are left out.
/// `exporter_metrics`: whether process_* is among them (--web.disable-exporter-metrics).
std::vector<prometheus::MetricFamily> MetricFamilies(const diagnosis::Diagnosis& diagnosis, bool exporter_metrics);

}  // namespace finwait::views::metrics
