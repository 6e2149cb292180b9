#pragma once

#include <ostream>

#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// What becomes of a close of every connection once its entry is gone, by classes, printed to `out`: `explain --all`.
/// Returns its exit code: 0 all clean, 1 not all, 3 cannot tell. What cannot even be looked at is explained on `err`.
int RunExplainAll(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out,
                  std::ostream& err);

}  // namespace finwait::exporter
