#pragma once

#include <cstdint>
#include <optional>
#include <span>
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

/// By position in IdleSummary::paths: stuck sockets whose FIN nobody answers and that had been silent, when they
/// closed, for longer than the path to their peer remembers. A pure function.
std::vector<std::uint64_t> CountForgottenByPaths(const diagnosis::StuckSummary& stuck,
                                                 const diagnosis::IdleSummary& idle);

/// One statement for each path that forgot some, by CountForgottenByPaths. A pure function.
std::vector<Statement> ForgottenByPaths(std::span<const std::uint64_t> forgotten, const diagnosis::IdleSummary& idle);

}  // namespace finwait::report
