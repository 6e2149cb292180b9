#include "exporter/diagnosis/failed_resets.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

class FailedResetsTest : public testing::Test {
 protected:
  void Counted(std::optional<std::uint64_t> number) {
    sources::NetstatSample sample;
    sample.abort_failed = number;
    host_.Set(sample);
  }
  std::optional<std::uint64_t> New() { return failed_.NewIn(*host_.Get()); }
  SnapshotBuilder host_ = SnapshotBuilder(std::make_shared<firewall::Ruleset>());
  FailedResets failed_;
};

TEST_F(FailedResetsTest, WhatWasCountedBeforeTheFirstSampleProvesNothing) {
  Counted(7);
  EXPECT_EQ(New(), 0U);
  Counted(9);
  EXPECT_EQ(New(), 2U);
}

TEST_F(FailedResetsTest, ASampleCountsOnce) {
  Counted(7);
  New();
  EXPECT_EQ(New(), std::nullopt);
  Counted(7);
  EXPECT_EQ(New(), 0U);
}

TEST_F(FailedResetsTest, ACounterThatFallsOrIsNotThereTellsNothing) {
  Counted(7);
  New();
  Counted(std::nullopt);
  EXPECT_EQ(New(), std::nullopt);
  Counted(3);
  EXPECT_EQ(New(), 0U);
  host_.Fail<sources::NetstatSample>("no netstat");
  EXPECT_EQ(New(), std::nullopt);
}

}  // namespace
}  // namespace finwait::diagnosis
