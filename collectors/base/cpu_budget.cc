#include "collectors/base/cpu_budget.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace finwait {

std::vector<double> DivideBudget(double budget, std::span<const BudgetClaim> claims) {
  // The least demanding by its share first: once one wants more than its part of what is left, so do all behind it.
  std::vector<std::size_t> order(claims.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return claims[a].demand * claims[b].share < claims[b].demand * claims[a].share;
  });
  double shares_left = 0;
  for (const BudgetClaim& claim : claims) {
    shares_left += claim.share;
  }
  std::vector<double> granted(claims.size());
  for (const std::size_t i : order) {
    granted[i] = std::min(claims[i].demand, budget * std::min(1.0, claims[i].share / shares_left));
    budget = std::max(0.0, budget - granted[i]);
    shares_left -= claims[i].share;
  }
  return granted;
}

std::size_t CpuBudget::AddClaim(double share) {
  const std::lock_guard lock(mutex_);
  claims_.push_back({share, 0});
  return claims_.size() - 1;
}

void CpuBudget::SetDemand(std::size_t claim, double demand) {
  const std::lock_guard lock(mutex_);
  claims_.at(claim).demand = demand;
}

double CpuBudget::Granted(std::size_t claim) const {
  const std::lock_guard lock(mutex_);
  if (elsewhere_.empty()) {
    return DivideBudget(core_share_, claims_).at(claim);
  }
  std::vector<BudgetClaim> all = claims_;
  all.insert(all.end(), elsewhere_.begin(), elsewhere_.end());
  return DivideBudget(core_share_, all).at(claim);
}

std::vector<BudgetClaim> CpuBudget::Claims() const {
  const std::lock_guard lock(mutex_);
  return claims_;
}

void CpuBudget::SetClaimsElsewhere(std::vector<BudgetClaim> claims) {
  const std::lock_guard lock(mutex_);
  elsewhere_ = std::move(claims);
}

}  // namespace finwait
