#pragma once

#include <ostream>

#include "exporter/options.h"

namespace finwait {

/// One look at this host, printed to `out`: the `check` subcommand. Returns its exit code: 0 none or latent, 1 exposed,
/// 2 failing, 3 cannot tell. A look that cannot even start is explained on `err`.
int RunCheck(const Options& options, std::ostream& out, std::ostream& err);

}  // namespace finwait
