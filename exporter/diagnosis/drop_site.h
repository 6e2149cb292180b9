#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "collectors/firewall/analysis/invalid_drop.h"
#include "collectors/firewall/eval/packet_traversal.h"

namespace finwait::diagnosis {

/// The rule, or the policy, that a packet dies at.
struct DropSite {
  firewall::RuleId rule;
  firewall::Hook hook = firewall::Hook::kOutput;
  bool rejects = false;   ///< it answers the packet instead of dropping it in silence
  std::string rule_text;  ///< empty for a policy
  /// For a rule in front of it that is for the same connections: firewall::print::ConnectionMatches().
  std::string matches = {};
  /// Of the rule in its chain, from 1, when it was read; nothing for a policy.
  std::optional<std::uint32_t> position = {};
  bool returned_to = false;  ///< a policy that a rule of its chain sends packets to, past the chain's end
  bool operator==(const DropSite&) const = default;
};

class PacketEvaluator;

/// Where a packet with this result dies; nothing for one that does not, or where no rule is known. `evaluator`: that
/// has it from the same rules.
std::optional<DropSite> SiteOf(const firewall::eval::TraversalResult& result, PacketEvaluator& evaluator);

/// Each drop site once, shared by all whose packets are dropped there: thousands of sockets at one rule hold one text.
/// Good for one ruleset; holds at most one site for each rule, hook and kind of drop in it. Not thread-safe.
class DropSites {
 public:
  /// The same as SiteOf(); null for nothing.
  std::shared_ptr<const DropSite> Of(const firewall::eval::TraversalResult& result, PacketEvaluator& evaluator);
  void Clear() { known_.clear(); }

 private:
  std::map<std::tuple<firewall::RuleId, firewall::Hook, bool>, std::shared_ptr<const DropSite>> known_;
};

/// Whether the packet is lost: dropped or rejected.
bool IsLost(firewall::eval::Disposition disposition);

}  // namespace finwait::diagnosis
