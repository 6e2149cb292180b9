#include "exporter/enabled_collectors.h"

#include <algorithm>

namespace finwait {

namespace {

bool IsEnabled(const CollectorInfo& info, const Options& options) {
  return std::find(options.enabled_collectors.begin(), options.enabled_collectors.end(), info.name) !=
         options.enabled_collectors.end();
}

bool AnyEnabled(const Options& options, bool (*has_property)(const CollectorInfo&)) {
  const auto registry = CollectorRegistry();
  return std::any_of(registry.begin(), registry.end(),
                     [&](const CollectorInfo& info) { return IsEnabled(info, options) && has_property(info); });
}

}  // namespace

std::vector<CollectorSwitch> CollectorSwitches() {
  std::vector<CollectorSwitch> switches;
  for (const CollectorInfo& info : CollectorRegistry()) {
    switches.push_back({info.name, info.enabled_by_default});
  }
  return switches;
}

CollectorSettings SettingsOf(const Options& options) {
  return {options.sampling_interval, std::make_shared<CpuBudget>(options.cpu_budget)};
}

std::vector<EnabledCollector> MakeCollectors(const Options& options, const CollectorSettings& settings,
                                             const Host& host) {
  std::vector<EnabledCollector> collectors;
  for (const CollectorInfo& info : CollectorRegistry()) {
    if (IsEnabled(info, options)) {
      collectors.push_back({&info, info.make(host, settings)});
    }
  }
  return collectors;
}

bool NeedNetAdmin(const Options& options) { return AnyEnabled(options, NeedsNetAdmin); }

bool NeedSysPtrace(const Options& options) { return AnyEnabled(options, NeedsSysPtrace); }

}  // namespace finwait
