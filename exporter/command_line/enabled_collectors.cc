#include "exporter/command_line/enabled_collectors.h"

#include <algorithm>

namespace finwait::command_line {

namespace {

bool IsEnabled(const sources::CollectorInfo& info, const Options& options) {
  return std::find(options.enabled_collectors.begin(), options.enabled_collectors.end(), info.name) !=
         options.enabled_collectors.end();
}

bool AnyEnabledNeeds(sources::Capability capability, const Options& options) {
  const auto registry = sources::CollectorRegistry();
  return std::any_of(registry.begin(), registry.end(), [&](const sources::CollectorInfo& info) {
    return IsEnabled(info, options) && info.capability == capability;
  });
}

}  // namespace

std::vector<CollectorSwitch> CollectorSwitches() {
  std::vector<CollectorSwitch> switches;
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    switches.push_back({info.name, info.enabled_by_default});
  }
  return switches;
}

sources::CollectorSettings SettingsOf(const Options& options) {
  sources::CollectorSettings settings = {options.sampling_interval, std::make_shared<CpuBudget>(options.cpu_budget)};
  // For halves whose two hosts meet through this one's NAT.
  settings.translated_flows =
      options.pairs_key_file.empty() ? sources::TranslatedFlows::kSkip : sources::TranslatedFlows::kList;
  settings.namespaces.depth = options.namespaces;
  settings.namespaces.names.pod_logs = options.pod_logs;
  if (options.command == Command::kServe) {
    const std::chrono::duration<double> effort =
        options.sampling_interval * (options.cpu_budget * sources::kNamespacesShare * sources::kPartForSocketLists);
    settings.namespaces.effort = std::chrono::duration_cast<std::chrono::nanoseconds>(effort);
  }
  return settings;
}

std::vector<scheduling::EnabledCollector> MakeCollectors(const Options& options,
                                                         const sources::CollectorSettings& settings,
                                                         const kernel::Host& host) {
  std::vector<scheduling::EnabledCollector> collectors;
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    if (IsEnabled(info, options)) {
      collectors.push_back({&info, info.make(host, settings)});
    }
  }
  return collectors;
}

bool NeedNetAdmin(const Options& options) { return AnyEnabledNeeds(sources::Capability::kNetAdmin, options); }

}  // namespace finwait::command_line
