#pragma once

#include "collectors/firewall/model/ruleset.h"

namespace finwait::fuzz {

/// Everything that the program does with a ruleset that it has read: texts, identities, drops, whether conntrack runs,
/// and the verdicts on the representative connections and on one with addresses. Requires that texts are bounded and
/// one line.
void UseRuleset(const firewall::Ruleset& ruleset);

}  // namespace finwait::fuzz
