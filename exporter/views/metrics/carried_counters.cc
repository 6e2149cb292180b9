#include "exporter/views/metrics/carried_counters.h"

#include "exporter/views/metrics/counter_origin.h"

namespace finwait::views::metrics {
namespace {

bool IsObservedCounter(const prometheus::MetricFamily& family) {
  return family.type == prometheus::MetricType::Counter && OriginOf(family.name) == CounterOrigin::kObserved;
}

// Values of our labels are words: nothing in them needs to be escaped.
std::string SeriesOf(const prometheus::MetricFamily& family, const prometheus::ClientMetric& metric) {
  std::string series = family.name;
  char separator = '{';
  for (const prometheus::ClientMetric::Label& label : metric.label) {
    series += separator + label.name + "=\"" + label.value + "\"";
    separator = ',';
  }
  return metric.label.empty() ? series : series + "}";
}

}  // namespace

CounterValues ObservedCounters(const std::vector<prometheus::MetricFamily>& families) {
  CounterValues values;
  for (const prometheus::MetricFamily& family : families) {
    if (IsObservedCounter(family)) {
      for (const prometheus::ClientMetric& metric : family.metric) {
        values[SeriesOf(family, metric)] = metric.counter.value;
      }
    }
  }
  return values;
}

void CarryOn(std::vector<prometheus::MetricFamily>& families, const CounterValues& before) {
  if (before.empty()) {
    return;
  }
  for (prometheus::MetricFamily& family : families) {
    if (!IsObservedCounter(family)) {
      continue;
    }
    for (prometheus::ClientMetric& metric : family.metric) {
      const auto carried = before.find(SeriesOf(family, metric));
      metric.counter.value += carried != before.end() ? carried->second : 0;
    }
  }
}

}  // namespace finwait::views::metrics
