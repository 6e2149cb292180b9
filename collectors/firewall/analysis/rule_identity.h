#pragma once

#include <cstdint>
#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::analysis {

/// A hash of what a rule says: equal for equal rules, whatever they have counted and wherever they stand.
std::uint64_t HashRule(const Rule& rule);

/// A name that a rule keeps from sample to sample. nft: the table and the handle. Legacy rules have no handle: the
/// table, the chain, HashRule, and which of its equals in the chain it is, so that rules inserted before it do not
/// change it.
std::string RuleIdentity(const Table& table, const Chain& chain, const Rule& rule);

/// The same for a base chain's policy.
std::string PolicyIdentity(const Table& table, const Chain& chain);

}  // namespace finwait::firewall::analysis
