#pragma once

#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

namespace finwait {

/// What one kind of work asks of a CPU budget.
struct BudgetClaim {
  double share = 0;   ///< its part of the budget where that is scarce; above 0, relative to the others' shares
  double demand = 0;  ///< the fraction of a core that it would take at its base interval

  /// What another process says may be anything.
  bool IsValid() const { return share > 0 && share <= 1 && demand >= 0 && demand <= 1e6; }
};

/// Divides `budget`, a fraction of one core, among claims; what each gets, in their order. Nobody gets more than it
/// demands, and what one leaves goes to those who want more, by their shares. So all demands are met where the budget
/// is enough for them, else all of it is given away and everyone has at least its part. Continuous in every demand.
std::vector<double> DivideBudget(double budget, std::span<const BudgetClaim> claims);

/// The CPU time that all background work together may take (--sampling.cpu-budget), divided again as demands change.
/// Thread-safe.
class CpuBudget {
 public:
  /// `core_share` is a fraction of one core, above 0.
  explicit CpuBudget(double core_share) : core_share_(core_share) {}

  /// Adds a claim that demands nothing as yet. Returns its number.
  std::size_t AddClaim(double share);
  void SetDemand(std::size_t claim, double demand);
  /// The fraction of a core that a claim has now; at most its demand.
  double Granted(std::size_t claim) const;

  /// The claims made here, for another process of the program: both live on the same budget.
  std::vector<BudgetClaim> Claims() const;
  /// What the other process claims now, in place of what it claimed before.
  void SetClaimsElsewhere(std::vector<BudgetClaim> claims);

 private:
  const double core_share_;
  mutable std::mutex mutex_;
  std::vector<BudgetClaim> claims_;
  std::vector<BudgetClaim> elsewhere_;
};

}  // namespace finwait
