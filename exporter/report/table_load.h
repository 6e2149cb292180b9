#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "exporter/scheduling/snapshot.h"

namespace finwait::report {

/// What decides how many entries a timeout keeps.
struct TableLoad {
  /// TCP connections that end each second, and so begin: by those that conntrack holds in TIME_WAIT and CLOSE, where
  /// each stays for that state's timeout.
  double connections_per_second = 0;
  std::uint64_t limit = 0;    ///< nf_conntrack_max
  std::uint64_t entries = 0;  ///< of TCP, now
};

/// Nothing where the table, its limit or the timeouts cannot be read.
std::optional<TableLoad> TableLoadOf(const scheduling::Snapshot& snapshot);

/// The most that connections cost which begin at that rate and of which none closes in order, as they do where peers
/// vanish: each then keeps its entry for `timeout_seconds`. At least what the entries there are cost. A sentence.
std::string CostOfTimeout(std::uint64_t timeout_seconds, const TableLoad& load);

}  // namespace finwait::report
