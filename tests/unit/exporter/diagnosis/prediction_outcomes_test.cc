#include "exporter/diagnosis/prediction_outcomes.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using std::chrono::seconds;

TEST(OutcomeOfStuckTest, IsAsPredictedForTheCauseOfTheFate) {
  EXPECT_EQ(OutcomeOfStuck(Fate::kFinDropped, Cause::kLocalDrop, false), PredictionOutcome::kAsPredicted);
  EXPECT_EQ(OutcomeOfStuck(Fate::kAckDropped, Cause::kReplyDrop, false), PredictionOutcome::kAsPredicted);
  EXPECT_EQ(OutcomeOfStuck(Fate::kPeerDecides, Cause::kReplyDrop, false), PredictionOutcome::kAsPredicted);
  EXPECT_EQ(OutcomeOfStuck(Fate::kNatLost, Cause::kNatLost, true), PredictionOutcome::kAsPredicted);
}

TEST(OutcomeOfStuckTest, IsOtherwiseForAnotherCauseOfThisHost) {
  EXPECT_EQ(OutcomeOfStuck(Fate::kClean, Cause::kLocalDrop, false), PredictionOutcome::kOtherwise);
  EXPECT_EQ(OutcomeOfStuck(Fate::kFinDropped, Cause::kLocalError, false), PredictionOutcome::kOtherwise) << "no rule";
  EXPECT_EQ(OutcomeOfStuck(Fate::kFinDropped, Cause::kReplyDrop, false), PredictionOutcome::kOtherwise);
  EXPECT_EQ(OutcomeOfStuck(Fate::kFinDropped, Cause::kNoReply, false), PredictionOutcome::kOtherwise) << "it left";
  EXPECT_EQ(OutcomeOfStuck(Fate::kPeerFinDropped, Cause::kLocalDrop, false), PredictionOutcome::kOtherwise);
}

TEST(OutcomeOfStuckTest, IsUnseenWhereAnotherExplanationHolds) {
  EXPECT_EQ(OutcomeOfStuck(Fate::kClean, Cause::kNoReply, false), PredictionOutcome::kUnseen) << "a peer that is gone";
  EXPECT_EQ(OutcomeOfStuck(Fate::kAckDropped, Cause::kLocalError, false), PredictionOutcome::kUnseen) << "link down";
  EXPECT_EQ(OutcomeOfStuck(Fate::kFinDropped, Cause::kZeroWindow, false), PredictionOutcome::kUnseen);
  EXPECT_EQ(OutcomeOfStuck(Fate::kClean, Cause::kLocalDrop, true), PredictionOutcome::kUnseen) << "other rules";
  EXPECT_EQ(OutcomeOfStuck(Fate::kUnknown, Cause::kLocalDrop, false), PredictionOutcome::kUnseen);
}

class PredictionOutcomesTest : public testing::Test {
 protected:
  static kernel::TcpSocket Socket(std::uint64_t cookie, kernel::TcpState state = kernel::TcpState::kEstablished) {
    kernel::TcpSocket socket;
    socket.cookie = cookie;
    socket.local = *Endpoint::Parse("192.0.2.1:" + std::to_string(40000 + cookie));
    socket.peer = *Endpoint::Parse("192.0.2.2:80");
    socket.state = state;
    socket.entry.tracking = kernel::Tracking::kUntracked;
    return socket;
  }
  static kernel::TcpSocket Tracked(kernel::TcpSocket socket) {
    socket.entry.tracking = kernel::Tracking::kTracked;
    return socket;
  }
  void Rules(std::shared_ptr<const firewall::Ruleset> rules) {
    evaluator_ = std::make_unique<CloseEvaluator>(std::move(rules), EvaluationSettings{true}, nullptr);
  }
  void RulesDropAt(Hook hook) { Rules(DropsAt({hook})); }
  // A sample of all live sockets, 5 s after the one before.
  void List(const std::vector<kernel::TcpSocket>& sockets) {
    now_ += seconds(5);
    sources::TrackingSample sample;
    sample.sockets = kernel::SocketTable(sockets);
    histories_.Update(sample.sockets, now_);
    for (const kernel::TcpSocket& socket : sockets) {
      const auto history = histories_.Find(socket.cookie);
      evaluator_->FateOf(socket, &*history);
    }
    outcomes_.Predict(sample, now_, histories_, *evaluator_, {true, true});
  }
  // A sample of all closing sockets, stuck for `cause` if there is one.
  void ListClosing(const std::vector<kernel::TcpSocket>& closing, std::optional<Cause> cause = {}) {
    now_ += seconds(1);
    sources::SocketsSample sample;
    std::vector<StuckCandidate> stuck;
    for (const kernel::TcpSocket& socket : closing) {
      sample.closing.push_back(socket);
    }
    for (const kernel::TcpSocket& socket : sample.closing) {
      if (cause) {
        stuck.push_back({&socket, {cause, nullptr}});
      }
    }
    stuck_.Update(sample.closing, stuck, now_);
    outcomes_.ObserveClosing(sample, stuck, stuck_.LastCounted(), now_);
    outcomes_.CountGone(resets_observed_);
  }
  void FailResets(std::uint64_t count) {
    now_ += seconds(1);
    resets_observed_ = true;
    outcomes_.ObserveFailedResets(count, now_);
    outcomes_.CountGone(true);
  }
  std::uint64_t Counted(Fate fate, PredictionOutcome outcome) const {
    return outcomes_.Counted()[static_cast<std::size_t>(fate)][static_cast<std::size_t>(outcome)];
  }
  std::uint64_t Sum() const {
    std::uint64_t sum = 0;
    for (const auto& by_outcome : outcomes_.Counted()) {
      for (const std::uint64_t count : by_outcome) {
        sum += count;
      }
    }
    return sum;
  }
  static constexpr auto kFinWait1 = kernel::TcpState::kFinWait1;

  std::unique_ptr<CloseEvaluator> evaluator_;
  ConnectionHistories histories_;
  StuckHistory stuck_;
  PredictionOutcomes outcomes_;
  bool resets_observed_ = false;
  SteadyClock::time_point now_;
};

TEST_F(PredictionOutcomesTest, StuckForThePredictedCauseIsAsPredictedAndCountedOnce) {
  RulesDropAt(Hook::kOutput);
  ListClosing({});
  List({Socket(1)});
  EXPECT_EQ(outcomes_.Followed(), 1U);
  for (int i = 0; i < 5; ++i) {
    ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
    List({Socket(1, kFinWait1)});
  }
  ListClosing({});
  List({});
  ListClosing({});
  EXPECT_EQ(Counted(Fate::kFinDropped, PredictionOutcome::kAsPredicted), 1U);
  EXPECT_EQ(Sum(), 1U);
  EXPECT_EQ(outcomes_.Followed(), 0U);
}

TEST_F(PredictionOutcomesTest, ASocketMissedByTheLiveSampleFirstIsFollowedAllTheSame) {
  RulesDropAt(Hook::kInput);
  ListClosing({});
  List({Socket(1)});
  List({Socket(1, kFinWait1)});
  ListClosing({Socket(1, kFinWait1)}, Cause::kReplyDrop);
  ListClosing({Socket(1, kFinWait1)}, Cause::kReplyDrop);
  EXPECT_EQ(Counted(Fate::kAckDropped, PredictionOutcome::kAsPredicted), 1U);
  EXPECT_EQ(Sum(), 1U);
}

TEST_F(PredictionOutcomesTest, AStuckSocketThatWasToCloseIsOtherwise) {
  Rules(DropsAt({}));
  ListClosing({});
  List({Socket(1)});
  ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
  ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Fate::kClean, PredictionOutcome::kOtherwise), 1U);
}

TEST_F(PredictionOutcomesTest, OtherRulesThanThoseOfThePredictionRefuteNothing) {
  Rules(DropsAt({}));
  ListClosing({});
  List({Socket(1)});
  outcomes_.RulesChanged();
  ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
  ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Fate::kClean, PredictionOutcome::kUnseen), 1U);
}

TEST_F(PredictionOutcomesTest, GoneWithoutATraceIsWhatClosesCleanly) {
  Rules(DropsAt({}));
  ListClosing({});
  List({Socket(1)});
  List({});
  EXPECT_EQ(Sum(), 0U) << "the closing sockets after that time are not known yet";
  ListClosing({});
  EXPECT_EQ(Counted(Fate::kClean, PredictionOutcome::kAsPredicted), 1U);
}

TEST_F(PredictionOutcomesTest, GoneWhileNobodyWatchedIsUnseen) {
  Rules(DropsAt({}));
  ListClosing({});
  List({Socket(1)});
  now_ += seconds(120);
  List({});
  ListClosing({});
  EXPECT_EQ(Counted(Fate::kClean, PredictionOutcome::kUnseen), 1U);
}

TEST_F(PredictionOutcomesTest, AFailedResetProvesADropOfAsManySockets) {
  RulesDropAt(Hook::kOutput);
  ListClosing({});
  FailResets(0);
  List({Socket(1), Socket(2), Socket(3)});
  List({});
  ListClosing({});
  EXPECT_EQ(Sum(), 0U) << "resets after that time are not known yet";
  FailResets(2);
  EXPECT_EQ(Counted(Fate::kFinDropped, PredictionOutcome::kAsPredicted), 2U);
  EXPECT_EQ(Counted(Fate::kFinDropped, PredictionOutcome::kUnseen), 1U) << "it sent data first, or was reset";
}

TEST_F(PredictionOutcomesTest, AnOldFailedResetIsOfNobodyPredicted) {
  RulesDropAt(Hook::kOutput);
  ListClosing({});
  FailResets(1);
  for (int i = 0; i < 4; ++i) {
    List({Socket(1)});
  }
  List({});
  ListClosing({});
  FailResets(0);
  EXPECT_EQ(Counted(Fate::kFinDropped, PredictionOutcome::kUnseen), 1U);
}

TEST_F(PredictionOutcomesTest, ASocketWhoseEntryIsBackHasNoPrediction) {
  RulesDropAt(Hook::kOutput);
  ListClosing({});
  List({Socket(1)});
  List({Tracked(Socket(1))});
  EXPECT_EQ(outcomes_.Followed(), 0U);
  List({Socket(1)});
  EXPECT_EQ(outcomes_.Followed(), 1U);
  ListClosing({Tracked(Socket(1, kFinWait1))}, Cause::kNoReply);
  ListClosing({Tracked(Socket(1, kFinWait1))}, Cause::kNoReply);
  EXPECT_EQ(Counted(Fate::kFinDropped, PredictionOutcome::kUnseen), 1U) << "it came back with data before the close";
  EXPECT_EQ(Sum(), 1U);
}

TEST_F(PredictionOutcomesTest, ALiveSampleFromBeforeTheCloseChangesNothing) {
  RulesDropAt(Hook::kOutput);
  ListClosing({});
  List({Socket(1)});
  ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
  ListClosing({Socket(1, kFinWait1)}, Cause::kLocalDrop);
  List({Socket(1)});
  List({});
  ListClosing({});
  EXPECT_EQ(Sum(), 1U);
}

TEST_F(PredictionOutcomesTest, AnUnevaluatedSocketIsNotFollowed) {
  RulesDropAt(Hook::kOutput);
  sources::TrackingSample sample;
  sample.sockets = kernel::SocketTable({Socket(1)});
  outcomes_.Predict(sample, now_, histories_, *evaluator_, {true, true});
  EXPECT_EQ(outcomes_.Followed(), 0U);
  List({Socket(1)});
  outcomes_.Predict(sample, now_, histories_, *evaluator_, {false, true});
  EXPECT_EQ(outcomes_.Followed(), 0U) << "where conntrack is not active nothing is predicted";
}

}  // namespace
}  // namespace finwait::diagnosis
