#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/sources/firewall.h"
#include "exporter/diagnosis/counter_ledger.h"
#include "exporter/diagnosis/new_sample.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::diagnosis {

/// Packets dropped, by IP family and hook, added up over the rules (or policies) that count.
using DropTotals = PerFamily<std::array<std::uint64_t, std::size(firewall::kHooks)>>;

/// What the firewall's counters add up to since this process started; they start from what the rules had counted by
/// then.
struct FirewallTotals {
  DropTotals invalid_drops = {};
  DropTotals policy_drops = {};
};

/// Adds up the counters of the firewall's samples. A rule that several hooks or both families reach counts for each:
/// its one counter does not tell them apart. Not thread-safe.
class FirewallCounters {
 public:
  /// The totals as of `snapshot`; nothing where the firewall cannot be read.
  std::optional<FirewallTotals> AddUp(const scheduling::Snapshot& snapshot);

 private:
  NewSample sample_;
  CounterLedger invalid_drops_;
  CounterLedger policy_drops_;
  FirewallTotals totals_;
};

}  // namespace finwait::diagnosis
