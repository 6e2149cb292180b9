// The risk matrix's short form: in every scenario `check`, `explain` and the service say the same, and the kernel does
// it. risk_matrix_test.cc plays the long ones, with timeouts, keepalive, shares and what becomes of the stage.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/short_trials.h"

namespace finwait::e2e {
namespace {

class ShortTrialsTest : public testing::TestWithParam<std::size_t> {};

TEST_P(ShortTrialsTest, CheckExplainAndTheServiceAgreeWithTheKernel) {
  constexpr int kAtOnce = 8;
  std::vector<ShortTrial> trials = ShortTrials()[GetParam()].trials;
  if (const char* part = std::getenv("FINWAIT_SCENARIO")) {
    std::erase_if(trials, [&](const ShortTrial& one) { return one.name.find(part) == std::string::npos; });
  }
  std::vector<Outcome> outcomes(trials.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> players;
  for (int i = 0; i < kAtOnce; ++i) {
    players.emplace_back([&] {
      for (std::size_t mine = next++; mine < trials.size(); mine = next++) {
        outcomes[mine] = Play(trials[mine]);
      }
    });
  }
  players.clear();
  for (std::size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(outcomes[i].complaint, "") << trials[i].name << ": " << trials[i].rules;
  }
  Record(ShortTrials()[GetParam()].name, outcomes);
}

INSTANTIATE_TEST_SUITE_P(Kernel, ShortTrialsTest, testing::Range(std::size_t{0}, ShortTrials().size()),
                         [](const auto& one) { return ShortTrials()[one.param].name; });

}  // namespace
}  // namespace finwait::e2e
