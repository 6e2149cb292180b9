#pragma once

#include <optional>
#include <vector>

#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/statement.h"
#include "exporter/report/table_load.h"

namespace finwait::report {

/// Which timeouts would forget none of the connections seen, what shorter ones would, what that costs, and the
/// keepalive that would do instead. Nothing where no connection was silent for the shortest timeout compared. `sysctl`
/// may be null; `load`: nothing where the cost cannot be told. A pure function.
std::vector<Statement> IdleAdvice(const diagnosis::IdleSummary& idle, const sources::SysctlSample* sysctl,
                                  const std::optional<TableLoad>& load);

/// Stuck sockets whose FIN nobody answers and that had been silent, when they closed, for longer than the path to their
/// peer remembers: one statement for each path. A pure function.
std::vector<Statement> ForgottenByPaths(const diagnosis::StuckSummary& stuck, const diagnosis::IdleSummary& idle);

}  // namespace finwait::report
