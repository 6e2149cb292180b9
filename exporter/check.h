#pragma once

#include <ostream>

#include "collectors/kernel/host.h"
#include "collectors/sources/collector_info.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// One collection of this host, printed to `out`: the `check` subcommand. Returns its exit code: 0 none or latent, 1
/// exposed, 2 failing, 3 cannot tell. A collection that cannot even start is explained on `err`. `host`: as it is
/// reached in the sandbox, or why it cannot be.
int RunCheck(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out,
             std::ostream& err);
/// The same with settings that hold more than the options say: a way into other namespaces.
int RunCheck(const command_line::Options& options, const sources::CollectorSettings& settings,
             const Result<kernel::Host>& host, std::ostream& out, std::ostream& err);

}  // namespace finwait::exporter
