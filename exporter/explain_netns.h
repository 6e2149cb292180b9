#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"
#include "exporter/socket_there.h"
#include "exporter/views/close_hops.h"

namespace finwait::exporter {

/// The first half of `explain --netns`, run in this host's namespace: writes what this host does on the way through to
/// the connection of the namespace whose file is open as `there`, for views::DecodeHop(). Writes nothing where no
/// device of this host leads there. `socket`: what that connection's tells, if it has one. Returns 0.
int WriteHostHop(const command_line::Options& options, int there, const std::optional<SocketThere>& socket,
                 const Result<kernel::Host>& host, std::ostream& out, std::ostream& err);

/// The second half, run in the other namespace, `where`: prints both hops to `out`. Returns explain's exit code.
int RunExplainNetns(const command_line::Options& options, const views::HostHop& host_hop, const std::string& where,
                    const Result<kernel::Host>& host, std::ostream& out, std::ostream& err);

}  // namespace finwait::exporter
