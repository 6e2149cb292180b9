#pragma once

#include <functional>

#include "exporter/command_line/options.h"
#include "exporter/service/log.h"

namespace finwait::exporter {

/// Samples and serves until a termination signal: the program without a subcommand. Returns its exit code: 0 after a
/// clean end, 2 when the start cannot succeed (logged in one sentence).
int RunServe(const command_line::Options& options, const service::Logger& logger);

}  // namespace finwait::exporter
