#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/model/ruleset.h"

/// What single rules do to packets that conntrack calls INVALID, found by running them.
namespace finwait::firewall::eval {

/// Whether the rule's own match asks for conntrack's state of the packet.
bool TestsConntrackState(const Rule& rule);

/// What a rule does to TCP packets in state INVALID of which nothing else is known.
struct StateDrop {
  bool drops = false;  ///< some of them, and none in state ESTABLISHED
  bool always = true;  ///< all of them
};

/// Runs `rule` of `chain` at `hook` for packets of `family`. A chain that it jumps to is run too.
StateDrop FindStateDrop(ChainEvaluator& evaluator, const Table& table, const Chain& chain, const Rule& rule, Hook hook,
                        IpFamily family);

/// How often the rules of a table count with each of its named counters.
using CounterUses = std::map<std::string, std::size_t>;
CounterUses CountUses(const Table& table);

/// The rule's counter that counts nothing but packets which are then dropped, some of them INVALID: the last such one
/// in the rule, or that of the verdict map's elements. A chain to jump to that `table` does not hold is taken to drop.
/// A named counter that is used more than once, by `uses`, tells nothing of this rule.
std::optional<Counter> FindDropCounter(ChainEvaluator& evaluator, const Table& table, const Rule& rule,
                                       const CounterUses& uses);

}  // namespace finwait::firewall::eval
