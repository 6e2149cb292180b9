// The score held against the kernel: every scenario of the risk matrix is played for real, with the program watching.
// tools/risk_matrix.sh plays them all in one go and writes the table of docs/verification.md.

#include <gtest/gtest.h>

#include "tests/e2e/trials.h"

namespace finwait::e2e {
namespace {

class RiskMatrixTest : public testing::TestWithParam<TrialGroup> {};

double Share(const Outcome& outcome) { return static_cast<double>(outcome.lost) / static_cast<double>(outcome.open); }

TEST_P(RiskMatrixTest, RanksEveryScenarioByTheShareOfClosesThatAreLost) {
  const std::vector<Outcome> outcomes = PlayAll(GetParam().trials);
  for (const Outcome& one : outcomes) {
    EXPECT_EQ(one.complaint, "") << one.name;
  }
  for (const Outcome& one : outcomes) {
    for (const Outcome& other : outcomes) {
      if (one.stage_before == "exposed" && other.stage_before == "exposed" && Share(one) > Share(other) &&
          one.at_risk == one.lost && other.at_risk == other.lost) {
        EXPECT_GT(one.score_before, other.score_before) << one.name << " against " << other.name;
      }
    }
  }
  Record(GetParam().name, outcomes);
}

INSTANTIATE_TEST_SUITE_P(Kernel, RiskMatrixTest, testing::ValuesIn(RiskMatrix()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace finwait::e2e
