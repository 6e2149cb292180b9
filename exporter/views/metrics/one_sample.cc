#include "exporter/views/metrics/one_sample.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "exporter/views/metrics/counter_origin.h"
#include "exporter/views/metrics/metrics.h"

namespace finwait::views::metrics {
namespace {

// Gauges that tell of a service, not of the host.
constexpr std::string_view kOfAService[] = {"finwait_collector_interval_seconds", "finwait_sampling_interval_seconds",
                                            "finwait_risk_last_evidence_timestamp_seconds"};

bool TellsOfOneSample(const prometheus::MetricFamily& family) {
  if (family.type == prometheus::MetricType::Counter) {
    const CounterOrigin origin = OriginOf(family.name);
    return origin == CounterOrigin::kKernel || origin == CounterOrigin::kRules;
  }
  return std::find(std::begin(kOfAService), std::end(kOfAService), family.name) == std::end(kOfAService);
}

}  // namespace

std::vector<prometheus::MetricFamily> OneSampleFamilies(const diagnosis::Diagnosis& diagnosis) {
  auto families = MetricFamilies(diagnosis, false);
  std::erase_if(families, [](const prometheus::MetricFamily& family) { return !TellsOfOneSample(family); });
  return families;
}

}  // namespace finwait::views::metrics
