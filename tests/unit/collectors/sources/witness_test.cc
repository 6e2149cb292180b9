#include "collectors/sources/witness.h"

#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"
#include "tests/unit/collectors/sources/complete_samples.h"

namespace finwait::sources {
namespace {

const bool kWitnessComplete = CompleteSamples::Add(WitnessSample());

TEST(WitnessTest, NobodyButTheServiceHasOne) {
  const kernel::ProcfsFixture procfs;
  WitnessCollector collector(procfs.MakeHost(), nullptr);
  const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(1)));
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().reason, FailureReason::kUnsupported);
  EXPECT_NE(collected.error().message.find("service"), std::string::npos);
}

}  // namespace
}  // namespace finwait::sources
