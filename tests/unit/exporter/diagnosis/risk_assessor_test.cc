#include "exporter/diagnosis/risk_assessor.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

class RiskAssessorTest : public testing::Test {
 protected:
  RiskAssessorTest() { host_.stuck.emplace(); }
  std::optional<Stage> StageAfter(std::chrono::seconds time, std::uint64_t resets_lost = 0) {
    now_ += time;
    host_.at += std::chrono::duration_cast<scheduling::WallClock::duration>(time);
    risk_.Assess(now_, resets_lost, host_);
    return host_.risk.stage;
  }
  Diagnosis host_;
  RiskAssessor risk_;
  SteadyClock::time_point now_{std::chrono::hours(1)};
};

TEST_F(RiskAssessorTest, AStuckSocketIsEvidenceForFiveMinutesAfterItHasGone) {
  StuckSocket stuck;
  stuck.cause = Cause::kLocalDrop;
  host_.stuck->sockets = {stuck};
  EXPECT_EQ(StageAfter(std::chrono::seconds(0)), Stage::kFailing);
  EXPECT_EQ(host_.last_evidence, host_.at);
  host_.stuck->sockets.clear();
  EXPECT_EQ(StageAfter(std::chrono::seconds(299)), Stage::kFailing);
  EXPECT_NE(StageAfter(std::chrono::seconds(2)), Stage::kFailing);
}

TEST_F(RiskAssessorTest, WhatGotStuckAndWentBetweenTwoDiagnosesIsEvidenceOnce) {
  host_.stuck->total[0][static_cast<std::size_t>(Cause::kNatLost)] = 3;
  EXPECT_EQ(StageAfter(std::chrono::seconds(0)), Stage::kFailing);
  EXPECT_NE(StageAfter(std::chrono::seconds(301)), Stage::kFailing);
}

TEST_F(RiskAssessorTest, ALostResetIsEvidence) { EXPECT_EQ(StageAfter(std::chrono::seconds(0), 1), Stage::kFailing); }

TEST_F(RiskAssessorTest, ASilentPeerProvesNothing) {
  StuckSocket stuck;
  stuck.cause = Cause::kNoReply;
  host_.stuck->sockets = {stuck};
  EXPECT_NE(StageAfter(std::chrono::seconds(0)), Stage::kFailing);
}

TEST_F(RiskAssessorTest, SaysThatTheDropPathIsUnknownOnlyWhereTheRulesCouldBeRead) {
  StageAfter(std::chrono::seconds(0));
  EXPECT_FALSE(host_.drop_path_unknown);
  host_.rules_complete = true;
  StageAfter(std::chrono::seconds(0));
  EXPECT_TRUE(host_.drop_path_unknown);
}

}  // namespace
}  // namespace finwait::diagnosis
