#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "exporter/diagnosis/diagnosis.h"

namespace finwait::views::metrics {

/// Those metrics of a diagnosis that one sample of the host can tell, by the names that /metrics has for them: `check
/// --format=prometheus`. What is counted or timed from sample to sample is left out, as it would begin again with each
/// run: counters of this program's own, intervals and the time of the last evidence.
std::vector<prometheus::MetricFamily> OneSampleFamilies(const diagnosis::Diagnosis& diagnosis);

}  // namespace finwait::views::metrics
