#include "exporter/diagnosis/evidence.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using std::chrono::seconds;

class EvidenceTest : public testing::Test {
 protected:
  EvidenceLog log_;
  SteadyClock::time_point now_ = SteadyClock::time_point(seconds(1000));
  scheduling::WallClock::time_point wall_ = scheduling::WallClock::time_point(seconds(1'700'000'000));
};

TEST_F(EvidenceTest, WithoutAnyThereIsNoLastAndNothingHolds) {
  EXPECT_FALSE(log_.WithinHold(now_));
  EXPECT_EQ(log_.LostWithinHold(now_), 0U);
  EXPECT_FALSE(log_.Last().has_value());
}

TEST_F(EvidenceTest, HoldsForFiveMinutesAfterTheLastAndNotLonger) {
  log_.Add(now_, wall_, 0);
  EXPECT_TRUE(log_.WithinHold(now_ + seconds(300)));
  EXPECT_FALSE(log_.WithinHold(now_ + seconds(301)));
  log_.Add(now_ + seconds(100), wall_ + seconds(100), 0);
  EXPECT_TRUE(log_.WithinHold(now_ + seconds(400)));
  EXPECT_EQ(log_.Last(), wall_ + seconds(100)) << "it is remembered after it has ceased to hold";
}

TEST_F(EvidenceTest, LostClosesAddUpWhileTheyAreRecent) {
  log_.Add(now_, wall_, 3);
  log_.Add(now_ + seconds(200), wall_, 4);
  EXPECT_EQ(log_.LostWithinHold(now_ + seconds(200)), 7U);
  EXPECT_EQ(log_.LostWithinHold(now_ + seconds(301)), 4U);
  EXPECT_EQ(log_.LostWithinHold(now_ + seconds(501)), 0U);
}

}  // namespace
}  // namespace finwait::diagnosis
