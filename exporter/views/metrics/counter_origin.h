#pragma once

#include <optional>
#include <string_view>

namespace finwait::views::metrics {

/// Who counts what a counter shows: it decides since when.
enum class CounterOrigin {
  kKernel,    ///< the kernel, since it started; a network namespace that is younger counted nothing before
  kRules,     ///< the rules, each since it was made: since when their sum counts, nobody knows
  kObserved,  ///< this program, of what it observes
  kExporter,  ///< this program, of itself: since process_start_time_seconds
};

/// The origin of the counter family `name`, prefix included. A counter that is not known by name is an observed one.
CounterOrigin OriginOf(std::string_view name);

/// Since when counters count, in Unix time.
struct CounterStarts {
  std::optional<double> boot;  ///< nothing: unknown
  double observed = 0;         ///< the first observation that observed counters contain
};

/// Since when the counter family `name` counts, for OpenMetrics' _created; nothing where nobody knows, and for counters
/// of the exporter itself, which process_start_time_seconds tells of.
std::optional<double> StartOf(std::string_view name, const CounterStarts& starts);

}  // namespace finwait::views::metrics
