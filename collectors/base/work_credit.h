#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "collectors/base/cpu_budget.h"
#include "collectors/base/result.h"

namespace finwait {

/// CPU time for work that comes in pieces, as many as there is time for: it accrues at the rate that a shared budget
/// grants, from a first credit on, and what is not needed does not pile up. On average the work takes what the budget
/// grants; a burst may take kMost. Not thread-safe, but the budget that it shares with others is.
class WorkCredit {
 public:
  static constexpr std::chrono::nanoseconds kMost = std::chrono::milliseconds(500);

  /// `share`: its part of the budget where that is scarce (see BudgetClaim).
  WorkCredit(std::shared_ptr<CpuBudget> budget, double share, std::chrono::nanoseconds first)
      : budget_(std::move(budget)), claim_(budget_->AddClaim(share)), credit_(first) {}

  /// What the work may take now. Below 0 or 0: a piece took more than there was, and the next has to wait.
  std::chrono::nanoseconds Available(SteadyClock::time_point now) {
    if (last_) {
      interval_ = std::max<SteadyClock::duration>(now - *last_, std::chrono::milliseconds(1));
      const std::chrono::duration<double> accrued = (now - *last_) * budget_->Granted(claim_);
      const auto more = std::chrono::duration_cast<std::chrono::nanoseconds>(accrued);
      credit_ = std::max(credit_, std::min(credit_ + more, kMost));
    }
    last_ = now;
    return credit_;
  }

  /// Tells that the work took `spent`, and `wanted` in all is what there was to do.
  void Spent(std::chrono::nanoseconds spent, std::chrono::nanoseconds wanted) {
    credit_ -= spent;
    const double demand = std::chrono::duration<double>(wanted) / std::chrono::duration<double>(interval_);
    budget_->SetDemand(claim_, std::clamp(demand, 0.0, 1.0));
  }

 private:
  std::shared_ptr<CpuBudget> budget_;
  std::size_t claim_;
  std::chrono::nanoseconds credit_;
  std::optional<SteadyClock::time_point> last_;
  SteadyClock::duration interval_ = std::chrono::seconds(5);  // between the last two times that it was asked for
};

}  // namespace finwait
