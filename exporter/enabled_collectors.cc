#include "exporter/enabled_collectors.h"

#include <algorithm>

namespace finwait {

std::vector<CollectorSwitch> CollectorSwitches() {
  std::vector<CollectorSwitch> switches;
  for (const CollectorInfo& info : CollectorRegistry()) {
    switches.push_back({info.name, info.enabled_by_default});
  }
  return switches;
}

CollectorSettings SettingsOf(const Options& options) { return {options.sampling_interval, options.cpu_budget}; }

std::vector<EnabledCollector> MakeCollectors(const Options& options, const Host& host) {
  std::vector<EnabledCollector> collectors;
  for (const CollectorInfo& info : CollectorRegistry()) {
    if (std::find(options.enabled_collectors.begin(), options.enabled_collectors.end(), info.name) !=
        options.enabled_collectors.end()) {
      collectors.push_back({&info, info.make(host, SettingsOf(options))});
    }
  }
  return collectors;
}

}  // namespace finwait
