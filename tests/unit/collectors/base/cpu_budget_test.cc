#include "collectors/base/cpu_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace finwait {
namespace {

double Sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

TEST(DivideBudgetTest, MeetsEveryDemandWhileThereIsEnough) {
  EXPECT_EQ(DivideBudget(0.02, std::vector<BudgetClaim>{{0.2, 0.004}, {0.8, 0.001}}),
            (std::vector<double>{0.004, 0.001}));
}

TEST(DivideBudgetTest, GivesWhatOneLeavesToWhoWantsMore) {
  const auto granted = DivideBudget(0.02, std::vector<BudgetClaim>{{0.5, 1}, {0.5, 0.002}});
  EXPECT_DOUBLE_EQ(granted[0], 0.018);
  EXPECT_DOUBLE_EQ(granted[1], 0.002);
}

TEST(DivideBudgetTest, DividesByShareAmongThoseWhoWantTooMuch) {
  const auto granted = DivideBudget(0.02, std::vector<BudgetClaim>{{0.3, 1}, {0.1, 5}, {0.6, 0}});
  EXPECT_DOUBLE_EQ(granted[0], 0.015);
  EXPECT_DOUBLE_EQ(granted[1], 0.005);
}

class DivideBudgetProperty : public testing::TestWithParam<unsigned> {
 protected:
  std::mt19937 random_{GetParam()};
  double Between(double low, double high) { return std::uniform_real_distribution(low, high)(random_); }
  std::vector<BudgetClaim> Claims() {
    std::vector<BudgetClaim> claims(std::uniform_int_distribution<std::size_t>(1, 12)(random_));
    for (BudgetClaim& claim : claims) {
      claim = {Between(0.001, 1), std::exp(Between(-14, 2))};
    }
    return claims;
  }
};

TEST_P(DivideBudgetProperty, KeepsTheBudgetAndLeavesNothingThatIsWanted) {
  const auto claims = Claims();
  const double budget = std::exp(Between(-7, 0));
  const auto granted = DivideBudget(budget, claims);
  double demand = 0;
  double shares = 0;
  for (const BudgetClaim& claim : claims) {
    demand += claim.demand;
    shares += claim.share;
  }
  EXPECT_NEAR(Sum(granted), std::min(budget, demand), 1e-9);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    EXPECT_LE(granted[i], claims[i].demand);
    EXPECT_GE(granted[i] + 1e-12, std::min(claims[i].demand, budget * claims[i].share / shares))
        << "less than its part";
  }
}

TEST_P(DivideBudgetProperty, IsContinuousInEveryDemand) {
  auto claims = Claims();
  const auto before = DivideBudget(0.02, claims);
  const std::size_t changed = std::uniform_int_distribution<std::size_t>(0, claims.size() - 1)(random_);
  claims[changed].demand += 1e-6;
  const auto after = DivideBudget(0.02, claims);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    EXPECT_NEAR(after[i], before[i], 1e-6 + 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, DivideBudgetProperty, testing::Range(0U, 200U));

}  // namespace
}  // namespace finwait
