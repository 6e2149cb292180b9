#pragma once

#include <ostream>

#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// The fate of a close of one connection once its conntrack entry is gone, printed to `out`: the `explain` subcommand.
/// Returns its exit code: 0 clean, 1 not clean, 3 unknown. What cannot even be looked at is explained on `err`.
int RunExplain(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out,
               std::ostream& err);

}  // namespace finwait::exporter
