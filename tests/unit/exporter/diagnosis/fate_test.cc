#include "exporter/diagnosis/fate.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait {
namespace {

using firewall::Hook;

class FateTest : public testing::Test {
 protected:
  FateTest() { past_.entry_state = ConntrackTcpState::kEstablished; }
  Fate Of(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseJudge judge(std::move(rules), {true, {true, true}}, {});
    return judge.Judge(socket_, &past_).fate;
  }
  LiveSocket socket_ = ForgottenSocket(1);
  ConnectionPast past_;
};

TEST_F(FateTest, IsWhatBecomesOfTheFinFirstAndOfItsAnswerThen) {
  EXPECT_EQ(Of(DropsAt({})), Fate::kClean);
  EXPECT_EQ(Of(DropsAt({Hook::kOutput})), Fate::kFinDropped);
  EXPECT_EQ(Of(DropsAt({Hook::kInput})), Fate::kAckDropped);
  EXPECT_EQ(Of(DropsAt({Hook::kInput, Hook::kOutput})), Fate::kFinDropped);
}

TEST_F(FateTest, ARememberedTranslationIsLostWithTheEntry) {
  past_.source_nat = true;
  EXPECT_EQ(Of(DropsAt({})), Fate::kNatLost);
}

TEST_F(FateTest, IsUnknownWhereTheRulesAre) { EXPECT_EQ(Of(UnreadableRules()), Fate::kUnknown); }

TEST_F(FateTest, OverLoopbackAnInputDropStopsTheFinItself) {
  socket_.local = *Endpoint::Parse("127.0.0.1:40001");
  socket_.peer = *Endpoint::Parse("127.0.0.1:80");
  EXPECT_EQ(Of(DropsAt({Hook::kInput})), Fate::kFinDropped);
}

TEST_F(FateTest, IsRememberedUntilWhatItDependsOnChanges) {
  CloseJudge judge(DropsAt({}), {true, {true, true}}, {});
  EXPECT_EQ(judge.FateOf(socket_, &past_), Fate::kClean);
  past_.destination_nat = true;
  EXPECT_EQ(judge.FateOf(socket_, &past_), Fate::kNatLost);
}

TEST_F(FateTest, AFinWithAnEntryIsJudgedAsEstablished) {
  CloseJudge drops(DropsAt({Hook::kOutput}), {true, {true, true}}, {});
  EXPECT_EQ(drops.TrackedFin(socket_).decision, firewall::PathDecision::kDrop) << "a policy drops it all the same";
  CloseJudge open(DropsAt({}), {true, {true, true}}, {});
  EXPECT_EQ(open.TrackedFin(socket_).decision, firewall::PathDecision::kAccept);
}

}  // namespace
}  // namespace finwait
