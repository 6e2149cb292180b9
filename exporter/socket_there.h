#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"
#include "exporter/command_line/options.h"
#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::exporter {

/// What the socket of a connection tells in its own network namespace, to the process that looks at this host's part.
struct SocketThere {
  diagnosis::SocketCircumstances circumstances;
  bool window_closed = false;       ///< what it sends first are probes of the peer's closed window
  std::optional<bool> opened_here;  ///< by this end; nothing: it is not told
};

/// Run in that namespace: writes what DecodeSocketThere() reads, of the connection that `options` names. Nothing where
/// there is no such socket, or it cannot be asked for. Returns 0.
int WriteSocketThere(const command_line::Options& options, const Result<kernel::Host>& host, std::ostream& out);

/// Nothing for the empty text, and for any that WriteSocketThere() does not write.
std::optional<SocketThere> DecodeSocketThere(const std::string& written);

}  // namespace finwait::exporter
