#pragma once

#include <string>

#include "collectors/firewall/model/rule_id.h"

namespace finwait::report {

/// "iptables-legacy table filter, chain OUTPUT, rule 7", or "the policy of nft table inet fw, chain out": where a rule
/// is, without what it says. Every view names a rule so: by the tool that keeps it, whichever the backend.
std::string Describe(const firewall::RuleId& rule);

}  // namespace finwait::report
