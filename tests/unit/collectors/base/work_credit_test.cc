#include "collectors/base/work_credit.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class WorkCreditTest : public testing::Test {
 protected:
  SteadyClock::time_point now_{std::chrono::hours(1)};
  WorkCredit credit_{std::make_shared<CpuBudget>(0.02), 1, milliseconds(100)};
};

TEST_F(WorkCreditTest, BeginsWithTheFirstCredit) { EXPECT_EQ(credit_.Available(now_), milliseconds(100)); }

TEST_F(WorkCreditTest, OnAverageTakesWhatTheBudgetGrants) {
  nanoseconds taken{0};
  for (int i = 0; i < 1000; ++i) {
    if (credit_.Available(now_) > nanoseconds(0)) {
      taken += milliseconds(13);
      credit_.Spent(milliseconds(13), seconds(1));
    } else {
      credit_.Spent(nanoseconds(0), seconds(1));
    }
    now_ += milliseconds(500);
  }
  EXPECT_NEAR(std::chrono::duration<double>(taken).count(), 0.1 + 500 * 0.02, 0.1);
}

TEST_F(WorkCreditTest, WhatNobodyNeedsDoesNotPileUp) {
  credit_.Available(now_);
  credit_.Spent(milliseconds(100), milliseconds(100));
  EXPECT_LE(credit_.Available(now_ + std::chrono::hours(100)), WorkCredit::kMost);
}

}  // namespace
}  // namespace finwait
