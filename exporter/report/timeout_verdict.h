#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/idle.h"
#include "exporter/report/statement.h"

namespace finwait::report {

/// The answer to "is this timeout safe?": for each timeout in force (conntrack's for open connections and for those
/// that the peer has closed, and each path's) whether it is, for what was seen, and over which time. `sysctl` may be
/// null. `forgotten_by_paths`: sockets that are stuck for it, by position in IdleSummary::paths; empty: none. A pure
/// function.
std::vector<Statement> TimeoutVerdicts(const diagnosis::IdleSummary& idle, const sources::SysctlSample* sysctl,
                                       std::span<const std::uint64_t> forgotten_by_paths = {});

}  // namespace finwait::report
