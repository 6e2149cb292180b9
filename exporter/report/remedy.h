#pragma once

#include <string>

#include "exporter/diagnosis/drop_site.h"

/// Commands for a shell, in the syntax of the tool that made the rule. They are printed, never run.
namespace finwait::report {

/// Which packets a rule is to let through.
enum class Accepts {
  kClosing,  ///< on the way out: FIN and RST in state INVALID
  kInvalid,  ///< on the way out: everything in state INVALID
  kReplies,  ///< on the way in: whatever is no SYN, in state NEW or INVALID. Only a socket that is there can take it
};

/// A command that inserts a rule in front of the one at `place` (before a policy, at the end), in its own chain, where
/// alone an accept comes before that drop. Empty where a name would need quoting that nobody should have to trust.
std::string AcceptCommand(const diagnosis::DropSite& place, Accepts accepts);

/// The same for long enough that every pending FIN is retried once, then taken back. One line.
std::string TemporaryAcceptCommand(const diagnosis::DropSite& place, Accepts accepts);

/// "sysctl -w NAME=VALUE".
std::string SysctlCommand(const std::string& name, long long value);

/// Between taking the rule in and out. A socket that a process still holds may wait TCP_RTO_MAX, 120 s, for its next
/// try; an orphan does not live longer than that (tcp_orphan_retries).
inline constexpr int kRetrySeconds = 130;

}  // namespace finwait::report
