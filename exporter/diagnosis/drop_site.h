#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/analysis/invalid_drop.h"
#include "collectors/firewall/eval/packet_traversal.h"

namespace finwait::diagnosis {

/// The rule, or the policy, that a packet dies at.
struct DropSite {
  firewall::RuleId rule;
  firewall::Hook hook = firewall::Hook::kOutput;
  bool rejects = false;   ///< it answers the packet instead of dropping it in silence
  std::string rule_text;  ///< empty for a policy
  bool operator==(const DropSite&) const = default;
};

class CloseEvaluator;

/// Where a packet with this result dies; nothing for one that does not, or where no rule is known. `evaluator`: that
/// has it from the same rules.
std::optional<DropSite> SiteOf(const firewall::eval::TraversalResult& result, CloseEvaluator& evaluator);

/// Whether the packet is lost: dropped or rejected.
bool IsLost(firewall::eval::Disposition decision);

}  // namespace finwait::diagnosis
