#include "collectors/firewall/analysis/invalid_drop.h"

#include <algorithm>
#include <bitset>
#include <deque>
#include <map>

#include "collectors/firewall/analysis/rule_identity.h"
#include "collectors/firewall/eval/state_drop.h"
#include "collectors/firewall/model/references.h"
#include "collectors/firewall/print/rule_text.h"

namespace finwait::firewall::analysis {
namespace {

using HookSet = std::bitset<std::size(kHooks)>;
using ChainHooks = std::map<std::string_view, HookSet>;

bool CanDrop(const Chain& chain) { return chain.base && chain.base->type != ChainType::kNat; }

// The hooks from whose base chains each chain is reached.
ChainHooks FindHooks(const Table& table) {
  ChainHooks hooks;
  std::deque<const Chain*> changed;
  for (const auto& [name, chain] : table.chains) {
    if (CanDrop(*chain)) {
      hooks[name].set(static_cast<std::size_t>(chain->base->hook));
      changed.push_back(chain.get());
    }
  }
  // A chain is looked at again only when it got a hook that it did not have: at most once for each hook.
  while (!changed.empty()) {
    const Chain& from = *changed.front();
    changed.pop_front();
    const HookSet reached = hooks[from.name];
    for (const Rule& rule : from.rules) {
      ForEachJump(table, rule, [&](const std::string& name) {
        const Chain* target = FindChain(table, name);
        if (target != nullptr && (hooks[target->name] | reached) != hooks[target->name]) {
          hooks[target->name] |= reached;
          changed.push_back(target);
        }
      });
    }
  }
  return hooks;
}

std::vector<IpFamily> FamiliesOf(const Table& table) {
  std::vector<IpFamily> families;
  std::copy_if(std::begin(kIpFamilies), std::end(kIpFamilies), std::back_inserter(families),
               [&](IpFamily family) { return Covers(table.family, family); });
  return families;
}

// What is worked out once for all rules of a chain.
struct ChainContext {
  const Table& table;
  const Chain& chain;
  const HookSet& hooks;
  const eval::CounterUses& counter_uses;
  RuleIdentities identities{table, chain};
};

// Adds `rule` when it drops INVALID at one of the chain's hooks.
void Examine(eval::ChainEvaluator& evaluator, ChainContext& context, const Rule& rule,
             std::vector<InvalidDropRule>& found) {
  const Table& table = context.table;
  const Chain& chain = context.chain;
  InvalidDropRule drop;
  for (const IpFamily family : FamiliesOf(table)) {
    for (const Hook hook : kHooks) {
      if (!context.hooks.test(static_cast<std::size_t>(hook))) {
        continue;
      }
      const eval::StateDrop evaluated = FindStateDrop(evaluator, table, chain, rule, hook, family);
      if (!evaluated.drops) {
        continue;
      }
      drop.narrow = drop.narrow || !evaluated.always;
      if (std::find(drop.families.begin(), drop.families.end(), family) == drop.families.end()) {
        drop.families.push_back(family);
      }
      if (std::find(drop.hooks.begin(), drop.hooks.end(), hook) == drop.hooks.end()) {
        drop.hooks.push_back(hook);
      }
    }
  }
  if (drop.families.empty()) {
    return;
  }
  std::sort(drop.hooks.begin(), drop.hooks.end());
  drop.location = IdOf(table, chain, &rule);
  drop.drops = FindDropCounter(evaluator, table, rule, context.counter_uses);
  drop.identity = context.identities.Of(rule);
  drop.text = print::RuleText(table, chain, rule);
  found.push_back(std::move(drop));
}

}  // namespace

std::vector<InvalidDropRule> FindInvalidDrops(const Ruleset& ruleset) {
  std::vector<InvalidDropRule> found;
  eval::ChainEvaluator evaluator(ruleset);
  for (const Table& table : ruleset.tables) {
    if (table.dormant) {
      continue;
    }
    const ChainHooks hooks = FindHooks(table);
    const eval::CounterUses counter_uses = eval::CountUses(table);
    for (const auto& [name, chain] : table.chains) {
      const auto reached = hooks.find(name);
      if (reached == hooks.end()) {
        continue;
      }
      ChainContext context{.table = table, .chain = *chain, .hooks = reached->second, .counter_uses = counter_uses};
      for (const Rule& rule : chain->rules) {
        if (eval::TestsConntrackState(rule)) {
          Examine(evaluator, context, rule, found);
        }
      }
    }
  }
  return found;
}

std::vector<PolicyDrop> FindPolicyDrops(const Ruleset& ruleset) {
  std::vector<PolicyDrop> found;
  for (const Table& table : ruleset.tables) {
    for (const auto& [name, chain] : table.chains) {
      if (!table.dormant && CanDrop(*chain) && chain->base->policy_drop) {
        found.push_back({IdOf(table, *chain, nullptr), FamiliesOf(table), chain->base->hook,
                         chain->base->policy_counter, PolicyIdentity(table, *chain)});
      }
    }
  }
  return found;
}

std::optional<Counter> DropCounter(const Table& table, const Rule& rule) {
  const Ruleset nothing;
  eval::ChainEvaluator evaluator(nothing);
  return FindDropCounter(evaluator, table, rule, {});  // a counter that others share has no value since it was found
}

}  // namespace finwait::firewall::analysis
