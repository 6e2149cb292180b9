#pragma once

#include <string>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::recording {

/// What the readers made of a ruleset, as lines: tables, chains with their hooks, rules with all that they say, sets
/// with their elements. Without what differs from one loading of the same rules to the next: handles, counters, times.
/// Two kernels with the same rules give the same lines.
std::string SummaryOf(const firewall::Ruleset& ruleset);

/// `text` without the numbers that nft gives to chains without a name ("__chain4"): they grow with each loading.
std::string WithoutChainNumbers(std::string text);

}  // namespace finwait::recording
