#include "exporter/views/metrics/counter_origin.h"

#include <string>

#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/registry.h"

namespace finwait::views::metrics {
namespace {

constexpr std::string_view kPrefix = "finwait_";

// What a collector takes from the kernel as it is: its rows, and conntrack's statistics.
bool IsOfTheKernel(std::string_view name) {
  for (std::size_t i = 0; i < sources::kConntrackStatCount; ++i) {
    if (name == "conntrack_" + std::string(Name(static_cast<sources::ConntrackStat>(i))) + "_total") {
      return true;
    }
  }
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    for (const sources::Metric& metric : info.metrics) {
      if (name == metric.name) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

CounterOrigin OriginOf(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return CounterOrigin::kExporter;  // process_*
  }
  name.remove_prefix(kPrefix.size());
  if (name.starts_with("collector_") || name.starts_with("exporter_")) {
    return CounterOrigin::kExporter;
  }
  if (name.starts_with("firewall_")) {
    return CounterOrigin::kRules;
  }
  return IsOfTheKernel(name) ? CounterOrigin::kKernel : CounterOrigin::kObserved;
}

std::optional<double> StartOf(std::string_view name, const CounterStarts& starts) {
  switch (OriginOf(name)) {
    case CounterOrigin::kKernel:
      return starts.boot;
    case CounterOrigin::kObserved:
      return starts.observed;
    case CounterOrigin::kRules:
    case CounterOrigin::kExporter:
      break;
  }
  return std::nullopt;
}

}  // namespace finwait::views::metrics
