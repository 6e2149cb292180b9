#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::eval {

/// Something that looks at packets at a hook: a base chain, or conntrack's look-up.
struct HookEntry {
  const Table* table = nullptr;  ///< null: conntrack
  const Chain* chain = nullptr;
  int priority = 0;
  int priority_among_nat = 0;
};

/// The order in which the kernel runs entries of one hook and one priority, as positions in `group`; nothing: it cannot
/// be told.
///
/// The kernel runs the one registered last first (nf_hook_entries_grow()). Handles tell which of a table's chains is
/// older, and tables come in the order in which they were made. A chain counts as made with its table, unless the table
/// had rules before it: then it may be newer than chains of newer tables. When conntrack and iptables-legacy joined is
/// not told.
std::optional<std::vector<std::size_t>> KernelOrder(const std::vector<HookEntry>& group, const Ruleset& ruleset);

}  // namespace finwait::firewall::eval
