#include "tests/unit/exporter/views/check_families.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string_view>

namespace finwait::views {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsLabelName(std::string_view name) {
  return !name.empty() && IsLetter(name[0]) && !name.starts_with("__") &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsLetter(c) || IsDigit(c); });
}

bool IsMetricName(std::string_view name) {
  return !name.empty() && !IsDigit(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsLetter(c) || IsDigit(c) || c == ':'; });
}

/// Every name that OpenMetrics 1.0.0 reserves for a family: its own and those of its samples.
std::vector<std::string> ReservedNames(const MetricFamily& family) {
  std::string name = family.name;
  switch (family.type) {
    case MetricType::Counter:
      if (name.ends_with("_total")) {
        name.resize(name.size() - std::string_view("_total").size());
      }
      return {name, name + "_total", name + "_created"};
    case MetricType::Summary:
      return {name, name + "_count", name + "_sum", name + "_created"};
    case MetricType::Histogram:
      return {name, name + "_count", name + "_sum", name + "_bucket", name + "_created"};
    case MetricType::Gauge:
    case MetricType::Untyped:
      break;
  }
  return {name};
}

class Checker {
 public:
  void Check(const MetricFamily& family) {
    CheckNames(family);
    std::set<std::vector<ClientMetric::Label>> seen;
    for (const ClientMetric& metric : family.metric) {
      std::vector<ClientMetric::Label> labels = metric.label;
      std::sort(labels.begin(), labels.end());
      CheckLabels(family, labels);
      if (!seen.insert(labels).second) {
        Report(family, "has the same labels twice");
      }
      CheckValue(family, metric);
    }
  }

  std::vector<std::string> Findings() && { return std::move(findings_); }

 private:
  void Report(const MetricFamily& family, const std::string& what) {
    findings_.push_back(family.name + " " + what + ".");
  }

  void CheckNames(const MetricFamily& family) {
    if (!IsMetricName(family.name)) {
      Report(family, "is not a valid metric name");
    }
    if (family.help.empty()) {
      Report(family, "has no help");
    }
    if (family.name.ends_with("_total") != (family.type == MetricType::Counter)) {
      Report(family, family.type == MetricType::Counter ? "is a counter but does not end in _total"
                                                        : "ends in _total but is not a counter");
    }
    if (family.type != MetricType::Summary && family.type != MetricType::Histogram) {
      for (const std::string_view suffix : {"_count", "_sum", "_bucket"}) {
        if (family.name.ends_with(suffix)) {
          Report(family, "ends in " + std::string(suffix) + ", which only histograms and summaries do");
        }
      }
    }
    for (const std::string& name : ReservedNames(family)) {
      const auto [owner, is_new] = owners_.emplace(name, family.name);
      if (!is_new) {
        Report(family,
               owner->second == family.name ? "is there twice" : "collides with " + owner->second + " in " + name);
        return;
      }
    }
  }

  void CheckLabels(const MetricFamily& family, const std::vector<ClientMetric::Label>& sorted) {
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      const std::string& name = sorted[i].name;
      if (!IsLabelName(name)) {
        Report(family, "has the invalid label name \"" + name + "\"");
      }
      if (i > 0 && sorted[i - 1].name == name) {
        Report(family, "has the label " + name + " twice in one metric");
      }
      if ((family.type == MetricType::Histogram && name == "le") ||
          (family.type == MetricType::Summary && name == "quantile")) {
        Report(family, "uses the label " + name + ", which its type reserves");
      }
    }
  }

  void CheckValue(const MetricFamily& family, const ClientMetric& metric) {
    if (family.type == MetricType::Counter && !(metric.counter.value >= 0)) {
      Report(family, "has a counter that is negative or not a number");
    }
    if (family.type == MetricType::Histogram) {
      CheckHistogram(family, metric.histogram);
    }
  }

  void CheckHistogram(const MetricFamily& family, const ClientMetric::Histogram& histogram) {
    std::map<double, std::uint64_t> buckets;
    for (const ClientMetric::Bucket& bucket : histogram.bucket) {
      if (std::isnan(bucket.upper_bound) || !buckets.emplace(bucket.upper_bound, bucket.cumulative_count).second) {
        Report(family, "has a bucket bound twice, or one that is not a number");
        return;
      }
    }
    buckets.emplace(std::numeric_limits<double>::infinity(), histogram.sample_count);  // kept if given
    if (buckets.rbegin()->second != histogram.sample_count) {
      Report(family, "has a count that is not that of its last bucket");
    }
    const bool rising = std::is_sorted(buckets.begin(), buckets.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (!rising) {
      Report(family, "has a bucket that counts less than the one below");
    }
  }

  std::map<std::string, std::string> owners_;  ///< which family reserved a name
  std::vector<std::string> findings_;
};

}  // namespace

std::vector<std::string> CheckFamilies(const std::vector<MetricFamily>& families) {
  Checker checker;
  for (const MetricFamily& family : families) {
    checker.Check(family);
  }
  return std::move(checker).Findings();
}

}  // namespace finwait::views
