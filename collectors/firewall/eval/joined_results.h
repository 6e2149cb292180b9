#pragma once

#include <cstddef>
#include <vector>

#include "collectors/firewall/eval/chain_evaluator.h"

namespace finwait::firewall::eval {

/// Beyond so many rules that stop a class's packet, a list of rules is one: all that it stops are alike.
inline constexpr std::size_t kRulesToldApart = 16;

/// Joins results of one kind whose packets are the same but for the values that one field can have: of ten thousand
/// ports with a rule each, what becomes of them is one result. Where more than kRulesToldApart rules stop a packet,
/// results of different rules are joined, too; one rule more than that keeps a result of its own.
void JoinResults(std::vector<ChainResult>& results);

}  // namespace finwait::firewall::eval
