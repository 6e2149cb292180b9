#pragma once

#include <ostream>

#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// `pairs`: asks the exporters of a fleet for their lost and live halves, and prints which are abandoned to `out`; what
/// makes that impossible to `err`. Gives up all privileges itself, once names are looked up. Returns the exit code: 0
/// none, 1 some, 3 cannot tell.
int RunPairs(const command_line::Options& options, std::ostream& out, std::ostream& err);

}  // namespace finwait::exporter
