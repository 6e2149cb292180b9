#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/witness/table_walker.h"

namespace finwait::sources {

struct ConntrackTableSample;

/// Walks the conntrack table in the kernel (witness/table_walker.h), by a process of its own.
using TableWalk = std::function<Result<witness::WalkResult>(const witness::LiveTimeouts&, Deadline)>;

/// Whether two readings of one table, one after the other, can both be true: no number is further from the other's than
/// a twentieth of the table.
bool Agree(const ConntrackTableSample& walked, const ConntrackTableSample& dumped);

/// When a walk is taken for a reading of the table: it is held against a dump the first time and every kBetweenChecks
/// walks. Where it does not agree twice in a row, no walk is believed any more.
class WalkTrust {
 public:
  static constexpr int kBetweenChecks = 20;

  bool IsLost() const { return disagreements_ >= kMostDisagreements; }
  /// Whether the walk that was made now is to be held against a dump.
  bool NeedsCheck() const { return until_check_ == 0; }
  /// It was believed without.
  void Believed() { --until_check_; }
  /// It was to be, and there was no dump in time.
  void NotChecked() { until_check_ = kBetweenChecks; }
  void Checked(bool agreed) {
    disagreements_ = agreed ? 0 : disagreements_ + 1;
    until_check_ = agreed ? kBetweenChecks : 0;
  }

 private:
  static constexpr int kMostDisagreements = 2;
  int until_check_ = 0;
  int disagreements_ = 0;
};

}  // namespace finwait::sources
