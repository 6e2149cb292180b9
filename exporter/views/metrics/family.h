#pragma once

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/sources/conntrack_table.h"

namespace finwait::views::metrics {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Builds one metric family; the prefix finwait_ is added to its name.
class Family {
 public:
  /// `name` of a counter ends in _total. `help` says where in the kernel the number comes from.
  static Family Counter(std::string_view name, std::string_view help) {
    return Family(name, help, prometheus::MetricType::Counter);
  }
  static Family Gauge(std::string_view name, std::string_view help) {
    return Family(name, help, prometheus::MetricType::Gauge);
  }
  static Family Histogram(std::string_view name, std::string_view help) {
    return Family(name, help, prometheus::MetricType::Histogram);
  }

  Family& Add(Labels labels, double value);
  Family& Add(Labels labels, const sources::AgeHistogram& histogram);
  /// Moves the family to the end of `families` unless it is empty; call it last.
  void AppendTo(std::vector<prometheus::MetricFamily>& families);

 private:
  Family(std::string_view name, std::string_view help, prometheus::MetricType type);
  prometheus::ClientMetric& NewMetric(Labels labels);

  prometheus::MetricFamily family_;
};

}  // namespace finwait::views::metrics
