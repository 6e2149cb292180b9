#pragma once

#include <string>
#include <vector>

#include <prometheus/metric_family.h>

namespace finwait::views {

/// What would make a reader refuse or misread the families, one sentence each; empty when all is well. Finds: invalid
/// metric and label names, a family without help, a counter whose name does not end in _total (OpenMetrics demands it)
/// and anything else whose name does, a gauge with a suffix that belongs to histograms (_count, _sum, _bucket), a
/// family, label name or label set that is there twice, names that collide once OpenMetrics derives its own from them
/// (a counter x_total and a gauge x), negative or NaN counters, a histogram whose buckets fall or whose count is not
/// that of its last bucket. Every finding is a programming error.
std::vector<std::string> CheckFamilies(const std::vector<prometheus::MetricFamily>& families);

}  // namespace finwait::views
