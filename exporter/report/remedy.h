#pragma once

#include <span>
#include <string>

#include "collectors/firewall/eval/planned_accepts.h"
#include "exporter/diagnosis/drop_site.h"

/// Commands for a shell, in the syntax of the tool that made the rule. They are printed, never run.
namespace finwait::report {

using firewall::eval::Accepts;

/// A command that inserts a rule in front of the one at `place` (before a policy, at the end), in its own chain, where
/// alone an accept comes before that drop. Empty where a name would need quoting that nobody should have to trust.
std::string AcceptCommand(const diagnosis::DropSite& place, Accepts accepts);

/// A rule to insert.
struct Insertion {
  const diagnosis::DropSite* place = nullptr;
  Accepts accepts = Accepts::kInvalid;
};

/// The same for several places at once, for long enough that every pending FIN is retried once, then taken back. One
/// line.
std::string TemporaryAcceptCommand(std::span<const Insertion> insertions);

/// "sysctl -w NAME=VALUE".
std::string SysctlCommand(const std::string& name, long long value);

/// Between taking the rule in and out. A socket that a process still holds may wait TCP_RTO_MAX, 120 s, for its next
/// try; an orphan does not live longer than that (tcp_orphan_retries).
inline constexpr int kRetrySeconds = 130;

}  // namespace finwait::report
