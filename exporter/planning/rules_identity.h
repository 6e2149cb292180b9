#pragma once

#include <optional>
#include <string>

#include "collectors/firewall/facts/fact_store.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::planning {

/// What a ruleset says, as a text that is equal for equal rulesets wherever they are loaded: all chains that packets
/// may come to, nat's included, their rules and sets; neither handles nor what was counted. Nothing where what it does
/// hangs on more than that (ipsets that rules fill or count in, named limits and quotas), where it cannot all be read,
/// or is too large. Of sets and ipsets, members count as they are now.
std::optional<std::string> IdentityOf(const firewall::Ruleset& rules, firewall::facts::Resolver& resolver,
                                      firewall::facts::FactStore& facts);

}  // namespace finwait::planning
