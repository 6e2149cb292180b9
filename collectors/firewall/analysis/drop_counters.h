#pragma once

#include <vector>

#include "collectors/base/result.h"
#include "collectors/firewall/analysis/invalid_drop.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/nft_reader.h"

/// Brings the counters of known drops up to date without reading the ruleset again.
namespace finwait::firewall::analysis {

/// Reads the counters of those drops that are nftables' from the kernel, rule by rule; `ruleset` is the one they were
/// found in. False when one of them is gone: the ruleset has changed.
Result<bool> RefreshNftCounters(read::NftReader& reader, const Ruleset& ruleset, std::vector<InvalidDropRule>& drops,
                                std::vector<PolicyDrop>& policies);

/// Takes the counters of those drops that are legacy from `tables`, read just now with the same content as the tables
/// they were found in.
void RefreshLegacyCounters(const std::vector<Table>& tables, std::vector<InvalidDropRule>& drops,
                           std::vector<PolicyDrop>& policies);

}  // namespace finwait::firewall::analysis
