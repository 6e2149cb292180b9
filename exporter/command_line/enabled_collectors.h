#pragma once

#include <vector>

#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"
#include "exporter/scheduling/sampler.h"

namespace finwait::command_line {

/// The registry as the command line's switches.
std::vector<CollectorSwitch> CollectorSwitches();

/// With a CPU budget of their own: call once a process.
sources::CollectorSettings SettingsOf(const Options& options);

/// The collectors that `options` enables, in the registry's order, made for `host`.
std::vector<scheduling::EnabledCollector> MakeCollectors(const Options& options,
                                                         const sources::CollectorSettings& settings,
                                                         const kernel::Host& host);

/// Whether one of the collectors that `options` enables cannot work, in part or whole, without CAP_NET_ADMIN.
bool NeedNetAdmin(const Options& options);

}  // namespace finwait::command_line
