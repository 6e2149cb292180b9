#include "exporter/service/readiness.h"

#include <gtest/gtest.h>

namespace finwait::service {
namespace {

using std::chrono::seconds;

const sources::CollectorInfo kInfo = {.name = "number"};

class ReadinessTest : public testing::Test {
 protected:
  ReadinessTest() {
    status_.info = &kInfo;
    status_.collected = true;
    status_.data = std::make_shared<sources::SampleData>();
    status_.taken_at = now_;
    status_.interval = seconds(5);
  }
  bool Ready() const {
    scheduling::Snapshot snapshot;
    snapshot.collectors.push_back(status_);
    return NotReady(snapshot, now_).empty();
  }
  SteadyClock::time_point now_ = SteadyClock::now();
  scheduling::CollectorStatus status_;
};

TEST_F(ReadinessTest, WaitsForTheFirstSample) {
  status_.collected = false;
  EXPECT_FALSE(Ready());
}

TEST_F(ReadinessTest, IsThereWithAFreshSampleAlsoOneWithGaps) {
  EXPECT_TRUE(Ready());
  status_.errors.push_back({FailureReason::kPermission, 0, "half of it"});
  EXPECT_TRUE(Ready());
}

TEST_F(ReadinessTest, GoesWhenTheSampleGrowsOld) {
  status_.taken_at = now_ - seconds(16);
  EXPECT_FALSE(Ready());
}

TEST_F(ReadinessTest, DoesNotWaitForACollectorThatCannotWorkHere) {
  status_.data = nullptr;
  status_.errors = {{FailureReason::kPermission, 0, "no capability"}};
  EXPECT_TRUE(Ready());
  status_.errors = {{FailureReason::kUnsupported, 0, "no such feature"}};
  EXPECT_TRUE(Ready());
  status_.errors = {{FailureReason::kError, 0, "broken"}};
  EXPECT_FALSE(Ready());
}

TEST_F(ReadinessTest, GoesWhereACollectorThatHasWorkedNoLongerDoes) {
  status_.data = nullptr;
  status_.has_worked = true;
  for (const FailureReason reason : kFailureReasons) {
    status_.errors = {{reason, 0, "gone"}};
    EXPECT_FALSE(Ready()) << Name(reason);
  }
}

}  // namespace
}  // namespace finwait::service
