#pragma once

#include <ostream>
#include <string>

#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// What the options name with --against, which is a file.
Result<std::string> ReadReportFile(const command_line::Options& options);

/// `plan`: evaluates the ruleset of this namespace with the sockets, routes and settings of a host. `report`: that
/// host's, or why it cannot be read. Returns the exit code: 0 nothing would newly be lost, 1 something would, 3 cannot
/// tell.
int RunPlan(const command_line::Options& options, const Result<std::string>& report, const Result<kernel::Host>& host,
            std::ostream& out, std::ostream& err);

}  // namespace finwait::exporter
