#include "exporter/planning/ending.h"

#include <gtest/gtest.h>

#include <string>

#include "exporter/diagnosis/close_fate.h"

namespace finwait::planning {
namespace {

using diagnosis::Fate;

Ending Of(Fate fate, const std::string& text = "") {
  Ending ending;
  ending.fate = fate;
  if (!text.empty()) {
    ending.backend = "nft";
    ending.family = "inet";
    ending.table = "t";
    ending.chain = "o";
    ending.hook = "output";
    ending.text = text;
  }
  return ending;
}

TEST(EndingTest, ACloseThatWorksAndThenDoesNotIsNewlyLost) {
  for (const Fate fate :
       {Fate::kFinDropped, Fate::kAckDropped, Fate::kNatLost, Fate::kPeerFinDropped, Fate::kPeerDecides}) {
    EXPECT_EQ(ChangeBetween(Of(Fate::kClean), Of(fate)), Change::kNewlyLost) << Name(fate);
    EXPECT_EQ(ChangeBetween(Of(fate), Of(Fate::kClean)), Change::kNewlyCloses) << Name(fate);
  }
}

TEST(EndingTest, FailingOnlyIfThePeerClosesFirstIsLessThanFailingAlways) {
  EXPECT_EQ(ChangeBetween(Of(Fate::kPeerFinDropped), Of(Fate::kFinDropped)), Change::kNewlyLost);
  EXPECT_EQ(ChangeBetween(Of(Fate::kPeerDecides), Of(Fate::kAckDropped)), Change::kNewlyLost);
  EXPECT_EQ(ChangeBetween(Of(Fate::kFinDropped), Of(Fate::kPeerFinDropped)), Change::kNewlyCloses);
  EXPECT_EQ(ChangeBetween(Of(Fate::kFinDropped), Of(Fate::kAckDropped)), Change::kOtherwise);
}

TEST(EndingTest, WhatIsUnknownIsNeverTakenForHarmless) {
  EXPECT_EQ(ChangeBetween(Of(Fate::kClean), Of(Fate::kUnknown)), Change::kNotKnowable);
  EXPECT_EQ(ChangeBetween(Of(Fate::kUnknown), Of(Fate::kFinDropped)), Change::kNotKnowable);
  EXPECT_EQ(ChangeBetween(Of(Fate::kPeerFinDropped), Of(Fate::kUnknown)), Change::kNotKnowable);
  EXPECT_EQ(ChangeBetween(Of(Fate::kUnknown), Of(Fate::kClean)), Change::kNone) << "nothing can be lost by it";
  EXPECT_EQ(ChangeBetween(Of(Fate::kFinDropped), Of(Fate::kUnknown)), Change::kOtherwise) << "it is lost already";
}

TEST(EndingTest, WhatHangsOnTheSameThingUnderEitherIsUnchanged) {
  const std::string translated = "cannot be known: " + std::string(diagnosis::kNotToldTranslated) + ": ";
  Ending before = Of(Fate::kUnknown);
  before.consequence = translated + "the packet mark";
  Ending after = before;
  EXPECT_EQ(ChangeBetween(before, after), Change::kNone);
  after.consequence = translated + "which end opened the connection";
  EXPECT_EQ(ChangeBetween(before, after), Change::kNotKnowable);
}

TEST(EndingTest, TheSameWordsForOtherThingsMayHideALoss) {
  for (const std::string& hangs_on :
       {std::string("a random choice"), std::string("a rate limit"), std::string("the packet mark"),
        std::string("an ipset"), std::string(diagnosis::kNotToldTranslated) + ": an ipset"}) {
    Ending either = Of(Fate::kUnknown);
    either.consequence = "cannot be known: " + hangs_on;
    EXPECT_EQ(ChangeBetween(either, either), Change::kNotKnowable) << hangs_on;
  }
}

TEST(EndingTest, TheSameRuleLoadedAgainIsTheSame) {
  Ending before = Of(Fate::kFinDropped, "ct state invalid counter packets 12 bytes 640 drop");
  Ending after = Of(Fate::kFinDropped, "ct state invalid counter packets 0 bytes 0 drop");
  before.handle = 4;
  after.handle = 19;
  EXPECT_EQ(ChangeBetween(before, after), Change::kNone);
  after.text = "ct state invalid counter packets 0 bytes 0 log drop";
  EXPECT_EQ(ChangeBetween(before, after), Change::kOtherwise);
  after = before;
  after.chain = "p";
  EXPECT_EQ(ChangeBetween(before, after), Change::kOtherwise);
}

}  // namespace
}  // namespace finwait::planning
