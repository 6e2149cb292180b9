#pragma once

#include <ostream>

#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// `check --since=DURATION`: prints what has happened since then, from the store of the service, to `out`; what makes
/// that impossible to `err`. Gives up all privileges itself, once the store is open. Returns the exit code: 0 this host
/// lost no connection, 2 it did, 3 cannot tell.
int RunHistory(const command_line::Options& options, std::ostream& out, std::ostream& err);

}  // namespace finwait::exporter
