#include "collectors/firewall/analysis/drop_counters.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace finwait::firewall::analysis {
namespace {

bool CountsInElements(const Set* set) {
  return set != nullptr && std::any_of(set->elements.begin(), set->elements.end(),
                                       [](const SetElement& element) { return element.counter.has_value(); });
}

// What counts for `rule` outside the rule itself: its named counters, and sets whose elements count. Other sets are
// taken from `known` as they are.
Result<Table> ReadCountersOf(read::NftReader& reader, const Table& known, const Rule& rule) {
  Table table;
  table.backend = known.backend;
  table.dialect = known.dialect;
  table.family = known.family;
  table.name = known.name;
  table.sets = known.sets;
  for (const Expression& expression : rule.expressions) {
    if (const auto* reference = std::get_if<ObjectReference>(&expression);
        reference != nullptr && reference->type == NFT_OBJECT_COUNTER) {
      auto object = reader.ReadObject(table.family, table.name, reference->name, reference->type);
      if (!object) {
        return Failure(object.error());
      }
      table.objects.push_back(std::move(*object));
    } else if (const auto* lookup = std::get_if<Lookup>(&expression);
               lookup != nullptr && CountsInElements(FindSet(known, lookup->set))) {
      auto set =
          reader.ReadSet(table.family, table.name, lookup->set, FindSet(known, lookup->set)->elements.size() * 2);
      if (!set) {
        return Failure(set.error());
      }
      table.sets.insert_or_assign(lookup->set, std::make_shared<const Set>(std::move(*set)));
    }
  }
  return table;
}

Result<std::optional<Counter>> ReadCounter(read::NftReader& reader, const Table& known, const RuleId& location) {
  auto rule = reader.ReadRule(location.family, location.table, location.chain, location.handle.value_or(0));
  if (!rule) {
    return Failure(rule.error());
  }
  auto table = ReadCountersOf(reader, known, *rule);
  if (!table) {
    return Failure(table.error());
  }
  return DropCounter(*table, *rule);
}

const Table* FindLegacyTable(const std::vector<Table>& tables, const RuleId& location) {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const Table& table) {
    return table.family == location.family && table.name == location.table;
  });
  return found == tables.end() ? nullptr : &*found;
}

}  // namespace

Result<bool> RefreshNftCounters(read::NftReader& reader, const Ruleset& ruleset, std::vector<InvalidDropRule>& drops,
                                std::vector<PolicyDrop>& policies) {
  for (InvalidDropRule& drop : drops) {
    const RuleId& location = drop.location;
    const Table* table = FindTable(ruleset, location.backend, location.family, location.table);
    if (location.backend != Backend::kNft || table == nullptr || !drop.drops) {
      continue;  // what has no counter in a ruleset has none until that changes
    }
    auto counter = ReadCounter(reader, *table, location);
    if (!counter) {
      return counter.error().errno_code == ENOENT ? Result<bool>(false) : Failure(counter.error());
    }
    drop.drops = *counter;
  }
  for (PolicyDrop& policy : policies) {
    const RuleId& location = policy.location;
    if (location.backend != Backend::kNft || !policy.drops) {
      continue;
    }
    auto counter = reader.ReadPolicyCounter(location.family, location.table, location.chain);
    if (!counter) {
      return Failure(counter.error());
    }
    if (!*counter) {
      return false;
    }
    policy.drops = *counter;
  }
  return true;
}

void RefreshLegacyCounters(const std::vector<Table>& tables, std::vector<InvalidDropRule>& drops,
                           std::vector<PolicyDrop>& policies) {
  for (InvalidDropRule& drop : drops) {
    const RuleId& location = drop.location;
    const Table* table = location.backend == Backend::kLegacy ? FindLegacyTable(tables, location) : nullptr;
    const Chain* chain = table != nullptr ? FindChain(*table, location.chain) : nullptr;
    const std::uint32_t index = location.index.value_or(0);
    if (chain != nullptr && index >= 1 && index <= chain->rules.size()) {
      drop.drops = DropCounter(*table, chain->rules[index - 1]);
    }
  }
  for (PolicyDrop& policy : policies) {
    const RuleId& location = policy.location;
    const Table* table = location.backend == Backend::kLegacy ? FindLegacyTable(tables, location) : nullptr;
    const Chain* chain = table != nullptr ? FindChain(*table, location.chain) : nullptr;
    if (chain != nullptr && chain->base) {
      policy.drops = chain->base->policy_counter;
    }
  }
}

}  // namespace finwait::firewall::analysis
