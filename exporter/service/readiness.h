#pragma once

#include <string>
#include <vector>

#include "exporter/scheduling/snapshot.h"

namespace finwait::service {

/// The enabled collectors that could work here and have no fresh sample, each with why; empty when the service is
/// ready. One that lacks a capability or a kernel feature, and has not worked before, cannot work here and is not
/// waited for. A sample is fresh for three intervals.
std::vector<std::string> NotReady(const scheduling::Snapshot& snapshot, SteadyClock::time_point now);

}  // namespace finwait::service
