#pragma once

#include <optional>
#include <ostream>

#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"
#include "exporter/diagnosis/forwarded_facts.h"
#include "exporter/report/close_report.h"
#include "exporter/socket_there.h"

namespace finwait::exporter {

/// A connection of another namespace.
struct ConnectionThere {
  diagnosis::HostSide host_side;      ///< how its packets come in
  std::optional<SocketThere> socket;  ///< nothing: it has none
};

/// What becomes of a close of one connection once its conntrack entry is gone. `there`: nothing where the host's routes
/// tell whose it is. Returns nothing where that cannot even be looked at, which is explained on `err`.
std::optional<report::CloseReport> ExplainOne(const command_line::Options& options, const Result<kernel::Host>& host,
                                              const std::optional<ConnectionThere>& there, std::ostream& err);

/// The exit code of `explain`: 0 clean, 1 not clean, 3 unknown.
int ExitCodeOf(diagnosis::Fate fate);

/// Prints it to `out`: the `explain` subcommand. Returns its exit code.
int RunExplain(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out,
               std::ostream& err);

}  // namespace finwait::exporter
