#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "collectors/base/cpu_budget.h"
#include "collectors/base/result.h"

namespace finwait {

/// Measures the CPU time of the calling thread (CLOCK_THREAD_CPUTIME_ID), system calls included.
class CpuStopwatch {
 public:
  CpuStopwatch() : start_(Now()) {}
  std::chrono::nanoseconds Elapsed() const { return Now() - start_; }

 private:
  static std::chrono::nanoseconds Now();
  std::chrono::nanoseconds start_;
};

/// Spaces work so that it takes on average what a CPU budget grants it, and never runs more often than a base interval.
/// The interval follows what two of the last three runs have cost: a rise at once, a fall by half of it each time. A
/// single run that costs more than both its neighbours, one that had to wait for a lock of the kernel's say, tells
/// nothing of the next; its cost is amortised over the next runs, so that nothing is left out of the average. Not
/// thread-safe, but the budget that it shares with others is. A copy goes on with the same claim.
class Pacer {
 public:
  /// Of a budget of its own: `core_share` is a fraction of one core, above 0.
  Pacer(SteadyClock::duration base_interval, double core_share)
      : Pacer(base_interval, std::make_shared<CpuBudget>(core_share), 1) {}
  /// Of a shared one; `share`: its part where the budget is scarce (see BudgetClaim).
  Pacer(SteadyClock::duration base_interval, std::shared_ptr<CpuBudget> budget, double share)
      : base_(base_interval), budget_(std::move(budget)), claim_(budget_->AddClaim(share)) {}

  /// Tells, before the first run, what one costs as a rule; without it the first run counts as such.
  void Expect(std::chrono::nanoseconds cpu);
  /// True at first, and again once Interval() has passed since the work last ran.
  bool Due(SteadyClock::time_point now) const;
  /// Tells that the work ended at `now` and took `cpu` of CPU time.
  void Ran(SteadyClock::time_point now, std::chrono::nanoseconds cpu);
  /// At least the base interval.
  SteadyClock::duration Interval() const;

 private:
  SteadyClock::duration base_;
  std::shared_ptr<CpuBudget> budget_;
  std::size_t claim_;
  std::optional<std::array<double, 3>> recent_;  // seconds, the newest last
  double typical_ = 0;                           // seconds a run
  double unpaid_ = 0;                            // seconds of runs that cost more than that
  double charge_ = 0;                            // seconds a run, amortised cost included
  bool has_run_ = false;
  SteadyClock::time_point last_;
};

}  // namespace finwait
