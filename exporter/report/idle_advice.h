#pragma once

#include <vector>

#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/report/statement.h"

namespace finwait::report {

/// Which timeout would forget none of the connections seen, what shorter ones would, and the keepalive that would do
/// instead. Nothing where no connection was silent for the shortest timeout compared. A pure function.
std::vector<Statement> IdleAdvice(const diagnosis::IdleSummary& idle, const sources::SysctlSample* sysctl);

/// Stuck sockets whose FIN nobody answers and that had been silent, when they closed, for longer than the path to their
/// peer remembers: one statement for each path. A pure function.
std::vector<Statement> ForgottenByPaths(const diagnosis::StuckSummary& stuck, const diagnosis::IdleSummary& idle);

}  // namespace finwait::report
