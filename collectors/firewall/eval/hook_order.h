#pragma once

#include <cstddef>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/eval/hook_steps.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::eval {

/// Something that looks at packets at a hook: a base chain, or conntrack's look-up.
struct HookEntry {
  const Table* table = nullptr;  ///< null: conntrack
  const Chain* chain = nullptr;
  int priority = 0;
  int priority_among_nat = 0;
};

/// Whether nat looks at a connection's source at this hook, and not at its destination.
bool LeavesNat(Hook hook);

/// What looks at packets of `family` at a step, in the order of priorities, that of equal priority together.
std::vector<std::vector<HookEntry>> HookEntries(const Ruleset& ruleset, IpFamily family, bool conntrack_active,
                                                const HookStep& step);

/// Whether a chain can leave packets otherwise than they came, itself or by what it calls.
bool MayChangePackets(const HookEntry& entry, const xt::Registry& extensions);

/// The orders in which the kernel may run entries of one hook and one priority, as positions in `group`; none: more
/// than `most`.
///
/// The kernel runs the one registered last first (nf_hook_entries_grow()). Handles tell which of a table's chains is
/// older, and tables come in the order in which they were made. A chain that was made with its table
/// (BaseChain::made_with_table) is older than those of newer tables; any other may be newer. When conntrack, nat and
/// iptables-legacy joined is not told, nor whether a table was dormant for a while: that is taken not to have been.
std::vector<std::vector<std::size_t>> KernelOrders(const std::vector<HookEntry>& group, std::size_t most);

}  // namespace finwait::firewall::eval
