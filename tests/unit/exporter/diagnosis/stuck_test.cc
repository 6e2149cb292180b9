#include "exporter/diagnosis/stuck.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using std::chrono::seconds;

class StuckTest : public testing::Test {
 protected:
  StuckTest() {
    socket_.cookie = 7;
    socket_.local = *Endpoint::Parse("192.0.2.1:40000");
    socket_.peer = *Endpoint::Parse("192.0.2.2:80");
    socket_.tries = 3;
    socket_.state = kernel::TcpState::kFinWait1;
    socket_.entry.tracking = kernel::Tracking::kUntracked;
    for (auto& timeout : sysctl_.conntrack_tcp_timeouts) {
      timeout = seconds(120);
    }
    sysctl_.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kLastAck)] = seconds(30);
    history_.entry_state = kernel::ConntrackTcpState::kEstablished;
    history_.entry_end = ExpiryReason::kTimedOut;
    history_.lost_while_open = true;
  }
  void FinIsUnsent() {
    socket_.timer = kernel::SocketTimer::kProbe;
    socket_.unsent = 1;
    socket_.send_window = 65535;
  }
  void FinIsUnanswered() {
    socket_.timer = kernel::SocketTimer::kRetransmit;
    socket_.unsent = 0;
    socket_.send_window = 65535;
    socket_.unacknowledged = 1;
  }
  void IsTracked() {
    socket_.entry.tracking = kernel::Tracking::kTracked;
    socket_.entry.state = kernel::ConntrackTcpState::kFinWait;
  }
  std::optional<Cause> Evaluate(std::shared_ptr<const firewall::Ruleset> rules) {
    CloseEvaluator evaluator(std::move(rules), {true, {true, true}}, {});
    return FindCause(socket_, {&evaluator, &history_, &sysctl_}).cause;
  }
  kernel::TcpSocket socket_;
  ConnectionHistory history_;
  sources::SysctlSample sysctl_;
};

TEST_F(StuckTest, TwoUnansweredTriesMakeASocketStuckAndOneDoesNot) {
  socket_.tries = 1;
  EXPECT_FALSE(IsStuck(socket_));
  socket_.tries = 2;
  EXPECT_TRUE(IsStuck(socket_));
}

TEST_F(StuckTest, AnUnsentFinThatARuleDropsIsALocalDrop) {
  FinIsUnsent();
  EXPECT_EQ(Evaluate(DropsAt({Hook::kOutput})), Cause::kLocalDrop);
}

TEST_F(StuckTest, AnUnsentFinThatNoRuleDropsIsALocalErrorTrackedOrNot) {
  FinIsUnsent();
  EXPECT_EQ(Evaluate(DropsAt({})), Cause::kLocalError);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kLocalError) << "a rule for what comes in has no part in it";
  IsTracked();
  EXPECT_EQ(Evaluate(DropsAt({})), Cause::kLocalError);
}

TEST_F(StuckTest, AClosedWindowIsToldFromAnUnsentFinByTheWindow) {
  FinIsUnsent();
  socket_.send_window = 0;
  EXPECT_EQ(FindCause(socket_, {}).cause, Cause::kZeroWindow);
  EXPECT_EQ(Evaluate(DropsAt({})), Cause::kZeroWindow);
}

TEST_F(StuckTest, AWindowThatMayHaveOpenedToNobodyIsALocalDrop) {
  FinIsUnsent();
  socket_.send_window = 0;
  EXPECT_EQ(Evaluate(DropsAt({Hook::kOutput, Hook::kInput})), Cause::kLocalDrop);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kOutput})), Cause::kZeroWindow) << "the peer's update would make an entry";
  IsTracked();
  EXPECT_EQ(Evaluate(DropsAt({Hook::kOutput, Hook::kInput})), Cause::kZeroWindow);
}

TEST_F(StuckTest, AnUnansweredFinWhoseAnswerIsDroppedIsAReplyDrop) {
  FinIsUnanswered();
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kReplyDrop);
}

TEST_F(StuckTest, AnUnansweredFinWithAnEntryIsThePeersSilence) {
  FinIsUnanswered();
  IsTracked();
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kNoReply);
}

TEST_F(StuckTest, AnEntryThatTimedOutAfterTheFinIsNoDrop) {
  FinIsUnanswered();
  history_.lost_while_open = false;
  history_.closed_tracked = true;
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kNoReply);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kOutput})), Cause::kNoReply) << "its retransmissions are dropped, its FIN was not";
}

TEST_F(StuckTest, TheCauseIsUnknownWhereTheEntryMayHaveOutlivedTheFin) {
  FinIsUnanswered();
  history_.lost_while_open = false;
  socket_.state = kernel::TcpState::kLastAck;
  socket_.minimum_age = seconds(29);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kReplyDrop) << "conntrack keeps LAST_ACK for 30 s";
  socket_.minimum_age = seconds(51);
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), std::nullopt);
  history_.lost_while_open = true;
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kReplyDrop) << "somebody saw that it was gone before the close";
}

TEST_F(StuckTest, AnUnansweredFinWithoutADropIsThePeersSilence) {
  FinIsUnanswered();
  EXPECT_EQ(Evaluate(DropsAt({})), Cause::kNoReply);
}

TEST_F(StuckTest, ATranslationThatIsRememberedAndLostIsTheCause) {
  FinIsUnanswered();
  history_.destination_nat = true;
  EXPECT_EQ(Evaluate(DropsAt({})), Cause::kNatLost);
}

TEST_F(StuckTest, OverLoopbackAFinDroppedOnItsWayInIsALocalDrop) {
  FinIsUnanswered();
  for (Endpoint* end : {&socket_.local, &socket_.peer}) {
    end->address = *IpAddress::Parse("127.0.0.1");
  }
  EXPECT_EQ(Evaluate(DropsAt({Hook::kInput})), Cause::kLocalDrop);
}

TEST_F(StuckTest, NothingIsSaidWhereRulesOrConntrackCannotBeRead) {
  FinIsUnsent();
  EXPECT_EQ(Evaluate(UnreadableRules()), std::nullopt);
  EXPECT_EQ(FindCause(socket_, {nullptr, &history_, &sysctl_}).cause, std::nullopt);
  socket_.entry.tracking = kernel::Tracking::kUnknown;
  EXPECT_EQ(Evaluate(DropsAt({Hook::kOutput})), std::nullopt);
}

TEST(CauseTest, OnlyWhatThisHostDoesToPacketsProvesAFailure) {
  for (const Cause cause : kCauses) {
    EXPECT_EQ(ProvesFailure(cause), cause == Cause::kLocalDrop || cause == Cause::kReplyDrop ||
                                        cause == Cause::kNatLost || cause == Cause::kForwardDrop)
        << Name(cause);
  }
}

}  // namespace
}  // namespace finwait::diagnosis
