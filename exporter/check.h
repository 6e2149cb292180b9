#pragma once

#include <ostream>

#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// One collection of this host, printed to `out`: the `check` subcommand. Returns its exit code: 0 none or latent, 1
/// exposed, 2 failing, 3 cannot tell. A collection that cannot even start is explained on `err`.
int RunCheck(const command_line::Options& options, std::ostream& out, std::ostream& err);

}  // namespace finwait::exporter
