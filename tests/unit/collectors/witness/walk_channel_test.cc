#include "collectors/witness/walk_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <thread>
#include <utility>

namespace finwait::witness {
namespace {

using testing::HasSubstr;

constexpr LiveTimeouts kTimeouts = {432'000, 60, 120, UINT32_MAX};

class WalkChannelTest : public testing::Test {
 protected:
  WalkChannelTest() : signal_(::signal(SIGPIPE, SIG_IGN)) {
    auto made = MakeWalkChannel();
    EXPECT_TRUE(made);
    answerer_.emplace(std::move(made->answerer));
    asker_.emplace(std::move(made->asker));
  }
  ~WalkChannelTest() override { ::signal(SIGPIPE, signal_); }

  // One answer, by another thread.
  std::jthread AnswerOnce(const WalkResult& result) {
    return std::jthread([this, result] {
      if (answerer_->Next(std::chrono::seconds(5), question_) == WalkAnswerer::Heard::kQuestion) {
        answerer_->Answer(question_, result);
      }
    });
  }
  Result<WalkResult> Ask(std::chrono::milliseconds patience = std::chrono::seconds(5)) {
    return asker_->Walk(kTimeouts, Deadline::After(patience));
  }

  std::optional<WalkAnswerer> answerer_;
  std::optional<WalkAsker> asker_;
  WalkAnswerer::Question question_;

 private:
  void (*const signal_)(int);
};

TEST_F(WalkChannelTest, AQuestionGetsItsAnswer) {
  WalkResult told;
  told.kind = WalkResult::Kind::kTold;
  told.table.tcp[1][3] = 7;
  told.table.idle[2].sum = 11;
  told.cpu = std::chrono::nanoseconds(13);
  {
    const std::jthread other = AnswerOnce(told);
    const auto heard = Ask();
    ASSERT_TRUE(heard) << heard.error().message;
    EXPECT_EQ(heard->kind, WalkResult::Kind::kTold);
    EXPECT_EQ(heard->table.tcp[1][3], 7U);
    EXPECT_EQ(heard->table.idle[2].sum, 11U);
    EXPECT_EQ(heard->cpu.count(), 13);
  }
  EXPECT_EQ(question_.timeouts, kTimeouts);
  EXPECT_GT(question_.patience, std::chrono::seconds(4));
  EXPECT_LE(question_.patience, std::chrono::seconds(5));
}

TEST_F(WalkChannelTest, AWalkThatDoesNotHoldSaysWhy) {
  WalkResult torn;
  torn.kind = WalkResult::Kind::kTorn;
  torn.why = "flushed";
  const std::jthread other = AnswerOnce(torn);
  const auto heard = Ask();
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->kind, WalkResult::Kind::kTorn);
  EXPECT_EQ(heard->why, "flushed");
}

TEST_F(WalkChannelTest, WhoCannotStartSaysSoToEveryQuestion) {
  answerer_->Refuse(Error{FailureReason::kPermission, 0, "it takes CAP_BPF"});
  answerer_.reset();
  for (int i = 0; i < 2; ++i) {
    const auto heard = Ask();
    ASSERT_FALSE(heard);
    EXPECT_EQ(heard.error().reason, FailureReason::kPermission);
    EXPECT_EQ(heard.error().message, "it takes CAP_BPF");
  }
}

TEST_F(WalkChannelTest, AnEndIsTold) {
  answerer_.reset();
  const auto heard = Ask();
  ASSERT_FALSE(heard);
  EXPECT_THAT(heard.error().message, HasSubstr("has ended"));
}

TEST_F(WalkChannelTest, AnAnswerThatComesTooLateIsNotTakenForTheNextOne) {
  const auto nothing = Ask(std::chrono::milliseconds(1));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().reason, FailureReason::kTimeout);
  ASSERT_EQ(answerer_->Next(std::chrono::seconds(0), question_), WalkAnswerer::Heard::kQuestion);
  WalkResult late;
  late.kind = WalkResult::Kind::kTold;
  late.table.seen = 1;
  answerer_->Answer(question_, late);
  WalkResult now = late;
  now.table.seen = 2;
  const std::jthread other = AnswerOnce(now);
  const auto heard = Ask();
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->table.seen, 2U);
}

TEST_F(WalkChannelTest, OfSeveralQuestionsTheLastIsHeard) {
  (void)Ask(std::chrono::milliseconds(1));
  (void)Ask(std::chrono::milliseconds(1));
  ASSERT_EQ(answerer_->Next(std::chrono::seconds(0), question_), WalkAnswerer::Heard::kQuestion);
  EXPECT_EQ(question_.number, 2U);
  EXPECT_EQ(answerer_->Next(std::chrono::seconds(0), question_), WalkAnswerer::Heard::kNothing);
  asker_.reset();
  EXPECT_EQ(answerer_->Next(std::nullopt, question_), WalkAnswerer::Heard::kEnd);
}

TEST_F(WalkChannelTest, WhatIsNoRecordIsNotBelieved) {
  ASSERT_EQ(::send(answerer_->Descriptor(), "nonsense", 8, 0), 8);
  const auto heard = Ask();
  ASSERT_FALSE(heard);
  EXPECT_THAT(heard.error().message, HasSubstr("no record of its"));
}

TEST_F(WalkChannelTest, NumbersOutOfTheirBoundsAreNotBelieved) {
  WalkResult wild;
  wild.kind = WalkResult::Kind::kTold;
  wild.table.zone_count = FINWAIT_TABLE_ZONES + 2;
  const std::jthread other = AnswerOnce(wild);
  EXPECT_FALSE(Ask());
}

}  // namespace
}  // namespace finwait::witness
