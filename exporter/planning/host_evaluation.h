#pragma once

#include <memory>

#include "collectors/firewall/facts/resolver.h"
#include "collectors/firewall/model/ruleset.h"
#include "exporter/planning/host_facts.h"

namespace finwait::planning {

/// Evaluates the close of every connection of `host` under `rules`. `resolver` answers what these rules and sets say
/// where they are loaded; what the host is like, `host` alone tells: so that two rulesets are evaluated by the same
/// facts.
HostResults EvaluateHost(const HostFacts& host, const std::shared_ptr<const firewall::Ruleset>& rules,
                         firewall::facts::Resolver& resolver);

/// Adds to each socket without an entry whether `rules` translated it when it was opened.
void AddTranslations(HostFacts& host, const std::shared_ptr<const firewall::Ruleset>& rules,
                     firewall::facts::Resolver& resolver);

}  // namespace finwait::planning
