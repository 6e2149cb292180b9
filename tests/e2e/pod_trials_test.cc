// Pods in the risk matrix: in every scenario `check`, `explain` and the service, asked on the host, say what the kernel
// then does to the pod's connections.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/e2e/pod_trial.h"
#include "tests/e2e/program.h"

namespace finwait::e2e {
namespace {

class PodTrialsTest : public testing::TestWithParam<std::size_t> {};

TEST_P(PodTrialsTest, CheckExplainAndTheServiceAgreeWithTheKernel) {
  PodTrialGroup group = PodTrials()[GetParam()];
  if (const char* part = std::getenv("FINWAIT_SCENARIO")) {
    std::erase_if(group.trials, [&](const PodTrial& one) { return one.name.find(part) == std::string::npos; });
  }
  if (kSanitized && group.name == "PodsEntered") {
    GTEST_SKIP() << "a sanitizer's build has no sealed requests, and enters nothing";
  }
  const std::vector<Outcome> outcomes = PlayApart(group.trials);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].complaint, "") << outcomes[i].name << ": " << group.trials[i].rules;
  }
  Record(group.name, outcomes);
}

INSTANTIATE_TEST_SUITE_P(Kernel, PodTrialsTest, testing::Range(std::size_t{0}, PodTrials().size()),
                         [](const auto& one) { return PodTrials()[one.param].name; });

}  // namespace
}  // namespace finwait::e2e
