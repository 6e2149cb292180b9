#include "collectors/firewall/eval/hook_order.h"

#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "collectors/firewall/eval/expression_traits.h"

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

bool LeavesNat(Hook hook) { return hook == Hook::kPostrouting || hook == Hook::kInput; }

std::vector<std::vector<HookEntry>> HookEntries(const Ruleset& ruleset, IpFamily family, bool conntrack_active,
                                                const HookStep& step) {
  std::vector<HookEntry> all;
  const bool ip = step.layer == Layer::kIp;
  if (ip && conntrack_active && (step.hook == Hook::kPrerouting || step.hook == Hook::kOutput)) {
    all.push_back({nullptr, nullptr, NF_IP_PRI_CONNTRACK, 0});
  }
  for (const Table& table : ruleset.tables) {
    const bool is_there =
        step.layer == Layer::kBridge ? table.family == TableFamily::kBridge : Covers(table.family, family);
    if (table.dormant || !is_there) {
      continue;
    }
    for (const auto& [name, chain] : table.chains) {
      if (!chain->base || chain->base->hook != step.hook) {
        continue;
      }
      int priority = chain->base->priority;
      if (chain->base->type == ChainType::kNat) {
        // nf_nat_register_fn(): all nat chains run from nat's own hook, in the order of their priorities there.
        priority = LeavesNat(step.hook) ? NF_IP_PRI_NAT_SRC : NF_IP_PRI_NAT_DST;
      }
      all.push_back({&table, chain.get(), priority, chain->base->priority});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const HookEntry& a, const HookEntry& b) {
    return std::pair(a.priority, a.priority_among_nat) < std::pair(b.priority, b.priority_among_nat);
  });
  std::vector<std::vector<HookEntry>> groups;
  for (const HookEntry& each : all) {
    const bool nat = each.chain != nullptr && each.chain->base->type == ChainType::kNat;
    const bool joins =
        !groups.empty() && groups.back().front().priority == each.priority &&
        !(nat && groups.back().back().chain != nullptr && groups.back().back().chain->base->type == ChainType::kNat &&
          groups.back().back().priority_among_nat != each.priority_among_nat);
    if (!joins) {
      groups.emplace_back();
    }
    groups.back().push_back(each);
  }
  return groups;
}

// Any chain of the table could be reached from the base chain; asking for the table is enough.
bool MayChangePackets(const HookEntry& entry, const xt::Registry& extensions) {
  if (entry.table == nullptr) {
    return true;
  }
  for (const auto& [name, chain] : entry.table->chains) {
    if (std::any_of(chain->rules.begin(), chain->rules.end(),
                    [&](const Rule& rule) { return ChangesPackets(rule, extensions); })) {
      return true;
    }
  }
  return false;
}

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
