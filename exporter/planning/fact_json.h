#pragma once

#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "exporter/planning/host_facts.h"
#include "exporter/planning/json_values.h"

namespace finwait::planning {

/// A fact by what it is the answer to. Null of what reports do not hold: rules and sets are read where the candidate is
/// loaded, and counts and lists change before it is.
Json FactJson(const firewall::facts::Need& need, const firewall::facts::Fact& fact);
/// Adds it to HostFacts::answers.
void TakeFact(const Json& json, HostFacts& facts);

}  // namespace finwait::planning
