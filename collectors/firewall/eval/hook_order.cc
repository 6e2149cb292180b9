#include "collectors/firewall/eval/hook_order.h"

#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "collectors/firewall/eval/expression_traits.h"

namespace finwait::firewall::eval {
namespace {

// Whether `one` is known to have been registered before `other`. Both tables are of one ruleset.
bool IsOlder(const HookEntry& one, const HookEntry& other) {
  const auto is_told = [](const HookEntry& entry) {
    return entry.table != nullptr && entry.table->backend == Backend::kNft && entry.chain->handle;
  };
  const auto of_nat = [](const HookEntry& entry) { return entry.chain->base->type == ChainType::kNat; };
  if (!is_told(one) || !is_told(other) || of_nat(one) != of_nat(other)) {
    return false;
  }
  if (one.table == other.table) {
    return *one.chain->handle < *other.chain->handle;
  }
  return one.chain->base->made_with_table && std::less<>()(one.table, other.table);
}

// Adds to `orders` all that begin with `order`, unless that makes more than `most`: false.
bool AddOrders(const std::vector<HookEntry>& group, std::size_t most, std::vector<std::size_t>& order,
               std::vector<std::vector<std::size_t>>& orders) {
  if (order.size() == group.size()) {
    orders.push_back(order);
    return orders.size() <= most;
  }
  const auto is_left = [&](std::size_t i) { return std::find(order.begin(), order.end(), i) == order.end(); };
  for (std::size_t next = 0; next < group.size(); ++next) {
    bool is_next = is_left(next);
    for (std::size_t i = 0; is_next && i < group.size(); ++i) {
      is_next = !is_left(i) || !IsOlder(group[next], group[i]);
    }
    if (!is_next) {
      continue;
    }
    order.push_back(next);
    const bool fits = AddOrders(group, most, order, orders);
    order.pop_back();
    if (!fits) {
      return false;
    }
  }
  return true;
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

std::vector<std::vector<std::size_t>> KernelOrders(const std::vector<HookEntry>& group, std::size_t most) {
  std::vector<std::vector<std::size_t>> orders;
  std::vector<std::size_t> order;
  if (!AddOrders(group, most, order, orders)) {
    orders.clear();
  }
  return orders;
}

}  // namespace finwait::firewall::eval
