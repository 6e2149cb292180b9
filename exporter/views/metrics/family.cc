#include "exporter/views/metrics/family.h"

#include <limits>

namespace finwait::views::metrics {

Family::Family(std::string_view name, std::string_view help, prometheus::MetricType type) {
  family_.name = "finwait_" + std::string(name);
  family_.help = help;
  family_.type = type;
}

prometheus::ClientMetric& Family::NewMetric(Labels labels) {
  prometheus::ClientMetric& metric = family_.metric.emplace_back();
  for (const auto& [name, value] : labels) {
    metric.label.push_back({std::string(name), std::string(value)});
  }
  return metric;
}

Family& Family::Add(Labels labels, double value) {
  prometheus::ClientMetric& metric = NewMetric(labels);
  if (family_.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return *this;
}

Family& Family::Add(Labels labels, const sources::AgeHistogram& histogram) {
  prometheus::ClientMetric& metric = NewMetric(labels);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    cumulative += histogram.counts[i];
    const double bound = i < sources::AgeHistogram::kBounds.size() ? sources::AgeHistogram::kBounds[i]
                                                                   : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({cumulative, bound});
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = histogram.sum;
  return *this;
}

void Family::AppendTo(std::vector<prometheus::MetricFamily>& families) {
  if (!family_.metric.empty()) {
    families.push_back(std::move(family_));
  }
}

}  // namespace finwait::views::metrics
