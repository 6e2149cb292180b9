#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collectors/firewall/model/rule_id.h"
#include "collectors/firewall/model/ruleset.h"

/// Finds what drops packets that conntrack calls INVALID, by what rules mean and not by how they are written.
namespace finwait::firewall::analysis {

/// A rule that drops or rejects INVALID packets (for a verdict map: the rule with the lookup).
struct InvalidDropRule {
  RuleId location;
  std::vector<IpFamily> families;  ///< of the packets that it can see; at least one
  std::vector<Hook> hooks;         ///< whose base chains reach it; at least one, in the order of kHooks
  /// What the rule itself counted; absent where it has no counter that counts the INVALID drops alone or with others.
  std::optional<Counter> drops;
  /// The same rule keeps the same identity from sample to sample, for adding up counters that may restart. nft: table
  /// and handle; legacy: table, chain, a hash of what the rule says, and which of its equals in the chain it is.
  std::string identity;
  /// The rule the way its own tool prints it, bounded.
  std::string text;
  /// Further conditions (an address, a port, a limit) keep it from dropping every INVALID TCP packet that reaches it.
  bool narrow = false;
};

/// A base chain whose policy is drop.
struct PolicyDrop {
  RuleId location;  ///< a policy's
  std::vector<IpFamily> families;
  Hook hook = Hook::kInput;
  std::optional<Counter> drops;
  std::string identity;
};

/// In the order of tables, chains, rules. Dormant tables drop nothing. Rules that no base chain reaches are left out.
std::vector<InvalidDropRule> FindInvalidDrops(const Ruleset& ruleset);
std::vector<PolicyDrop> FindPolicyDrops(const Ruleset& ruleset);

/// What `rule` of `table`, known from FindInvalidDrops, has counted: how InvalidDropRule::drops is found, alone, so
/// that a collection of an unchanged ruleset need not search it again.
std::optional<Counter> DropCounter(const Table& table, const Rule& rule);

}  // namespace finwait::firewall::analysis
