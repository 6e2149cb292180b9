#pragma once

#include <string>

#include "collectors/firewall/ruleset.h"

namespace finwait::firewall {

/// `rule` as `nft --stateless list ruleset` prints it, with "[name]" for what this does not know how to print.
std::string NftRuleText(const Table& table, const Rule& rule);

}  // namespace finwait::firewall
