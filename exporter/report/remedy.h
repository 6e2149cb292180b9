#pragma once

#include <span>
#include <string>

#include "collectors/firewall/eval/planned_accepts.h"
#include "exporter/diagnosis/drop_site.h"

/// Commands for a shell, in the syntax of the tool that made the rule. They are printed, never run.
namespace finwait::report {

using firewall::eval::Accepts;

/// Whether both are rules of one chain.
bool InOneChain(const firewall::RuleId& one, const firewall::RuleId& other);

/// A command that inserts a rule right in front of the one at `site` (before a policy, at the end, or at the top where
/// rules return to the policy), in its own chain: it lets pass nothing that another rule drops before.
/// For every connection. Empty where a name would need quoting that nobody should have to trust.
std::string AcceptCommand(const diagnosis::DropSite& site, Accepts accepts);

/// A rule to insert.
struct Insertion {
  const diagnosis::DropSite* site = nullptr;
  Accepts accepts = Accepts::kInvalid;
};

/// For whom a rule in front of another is.
enum class AcceptFor {
  kItsConnections,  ///< only those that the other is for; holds parts of its text (addresses, ports)
  kAllConnections,
};

/// The same for several places at once, for long enough that every pending FIN is retried once, then taken back. One
/// line. Each stands right in front of the rule that drops, so that it lets pass nothing that dies before or behind it.
std::string TemporaryAcceptCommand(std::span<const Insertion> insertions,
                                   AcceptFor accept_for = AcceptFor::kItsConnections);

/// "sysctl -w NAME=VALUE".
std::string SysctlCommand(const std::string& name, long long value);

/// Between taking the rule in and out. A socket that a process still holds may wait TCP_RTO_MAX, 120 s, for its next
/// try; an orphan does not live longer than that (tcp_orphan_retries).
inline constexpr int kRetrySeconds = 130;

}  // namespace finwait::report
