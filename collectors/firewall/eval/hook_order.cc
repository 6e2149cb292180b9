#include "collectors/firewall/eval/hook_order.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace finwait::firewall::eval {
namespace {

// Whether the table had rules before it had that chain.
bool CameLater(const Table& table, const Chain& chain) {
  return std::any_of(table.chains.begin(), table.chains.end(), [&](const auto& each) {
    const auto& rules = each.second->rules;
    return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.handle < chain.handle; });
  });
}

}  // namespace

std::optional<std::vector<std::size_t>> KernelOrder(const std::vector<HookEntry>& group, const Ruleset& ruleset) {
  std::vector<std::pair<std::size_t, std::uint64_t>> made;  // table and chain, of each entry
  for (const HookEntry& entry : group) {
    if (entry.table == nullptr || entry.table->backend != Backend::kNft || !entry.chain->handle) {
      return std::nullopt;
    }
    const auto table = std::find_if(ruleset.tables.begin(), ruleset.tables.end(),
                                    [&](const Table& each) { return &each == entry.table; });
    made.emplace_back(table - ruleset.tables.begin(), *entry.chain->handle);
  }
  const bool of_one_table =
      std::all_of(group.begin(), group.end(), [&](const HookEntry& each) { return each.table == group.front().table; });
  const bool among_nat_only = std::all_of(
      group.begin(), group.end(), [](const HookEntry& each) { return (each.chain->base->type == ChainType::kNat); });
  const bool without_nat = std::none_of(
      group.begin(), group.end(), [](const HookEntry& each) { return (each.chain->base->type == ChainType::kNat); });
  if (!among_nat_only && !without_nat) {
    return std::nullopt;  // when nat itself joined is not told
  }
  if (!of_one_table && std::any_of(group.begin(), group.end(),
                                   [](const HookEntry& each) { return CameLater(*each.table, *each.chain); })) {
    return std::nullopt;
  }
  std::vector<std::size_t> order(group.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return made[a] > made[b]; });
  return order;
}

}  // namespace finwait::firewall::eval
