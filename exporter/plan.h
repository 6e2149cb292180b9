#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// `plan`: evaluates the ruleset of this namespace with the sockets, routes and settings of a host. `live`: that host's
/// report; nothing: read the file that the options name. Returns the exit code: 0 nothing would newly be lost, 1
/// something would, 3 cannot tell.
int RunPlan(const command_line::Options& options, const std::optional<std::string>& live, std::ostream& out,
            std::ostream& err);

}  // namespace finwait::exporter
