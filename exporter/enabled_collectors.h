#pragma once

#include <vector>

#include "collectors/host.h"
#include "exporter/options.h"
#include "exporter/sampling/sampler.h"

namespace finwait {

/// The registry as the command line's switches.
std::vector<CollectorSwitch> CollectorSwitches();

/// With a CPU budget of their own: call once a process.
CollectorSettings SettingsOf(const Options& options);

/// The collectors that `options` enables, in the registry's order, made for `host`.
std::vector<EnabledCollector> MakeCollectors(const Options& options, const CollectorSettings& settings,
                                             const Host& host);

/// Whether one of the collectors that `options` enables is blind, in part or whole, without CAP_NET_ADMIN.
bool NeedNetAdmin(const Options& options);
/// The same for CAP_SYS_PTRACE.
bool NeedSysPtrace(const Options& options);

}  // namespace finwait
