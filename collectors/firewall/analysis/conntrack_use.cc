#include "collectors/firewall/analysis/conntrack_use.h"

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/expression_traits.h"
#include "collectors/firewall/model/references.h"

namespace finwait::firewall::analysis {
namespace {

using packet::Tristate;

// In a nat chain a jump is taken to lead to a translation.
bool Jumps(const Expression& expression) {
  bool jumps = false;
  ForEachReference(expression, [&](const Reference& reference) {
    jumps = reference.kind == Reference::Kind::kChain || reference.kind == Reference::Kind::kVerdictMap;
  });
  return jumps;
}

Tristate Needs(eval::ChainEvaluator& evaluator, const Table& table, const Chain& chain) {
  const Chain* rules = evaluator.GetChain(table, chain.name);
  const bool nat = chain.base && chain.base->type == ChainType::kNat;
  for (const Rule& rule : rules->rules) {
    for (const Expression& expression : rule.expressions) {
      if (eval::TraitsOf(expression).needs_conntrack || (nat && Jumps(expression))) {
        return Tristate::kYes;
      }
    }
  }
  return rules->contents == Contents::kComplete ? Tristate::kNo : Tristate::kUnknown;
}

}  // namespace

Tristate NeedsConntrack(const Ruleset& ruleset, IpFamily family, facts::FactQuery* facts) {
  eval::ChainEvaluator evaluator(ruleset, facts);
  Tristate needs = Tristate::kNo;
  for (const Table& table : ruleset.tables) {
    if (!Covers(table.family, family) || table.family == TableFamily::kNetdev) {
      continue;  // the kernel accepts no rule of family netdev that needs conntrack
    }
    for (const auto& [name, chain] : table.chains) {
      needs = Or(needs, Needs(evaluator, table, *chain));
      if (needs == Tristate::kYes) {
        return needs;
      }
    }
  }
  const bool unavailable =
      IsUnavailable(ruleset, Backend::kNft, family) || IsUnavailable(ruleset, Backend::kLegacy, family);
  return unavailable ? Or(needs, Tristate::kUnknown) : needs;
}

}  // namespace finwait::firewall::analysis
