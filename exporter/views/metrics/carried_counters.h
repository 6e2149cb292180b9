#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

namespace finwait::views::metrics {

/// What counters came to, by series: "finwait_x_total{l=\"v\"}".
using CounterValues = std::map<std::string, double>;

/// The observed counters (CounterOrigin::kObserved) among `families`.
CounterValues ObservedCounters(const std::vector<prometheus::MetricFamily>& families);

/// Adds to each observed counter what it had come to `before` this process: so it goes on across a restart.
void CarryOn(std::vector<prometheus::MetricFamily>& families, const CounterValues& before);

}  // namespace finwait::views::metrics
