#pragma once

#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::print {

/// `rule` as `nft --stateless list ruleset` prints it, with "[name]" for what this does not know how to print.
std::string NftRuleText(const Table& table, const Rule& rule);

/// ConnectionMatches() of a rule that nft keeps.
std::string NftMatches(const Table& table, const Rule& rule);

}  // namespace finwait::firewall::print
