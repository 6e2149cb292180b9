#pragma once

#include <functional>

#include "exporter/log.h"
#include "exporter/options.h"

namespace finwait {

/// Samples and serves until a termination signal: the program without a subcommand. Returns its exit code: 0 after a
/// clean end, 2 when the start cannot succeed (logged in one sentence).
int RunServe(const Options& options, const Logger& logger);

}  // namespace finwait
