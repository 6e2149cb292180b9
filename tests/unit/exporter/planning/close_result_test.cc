#include "exporter/planning/close_result.h"

#include <gtest/gtest.h>

#include <string>

#include "collectors/firewall/xt/ipset_match.h"
#include "exporter/diagnosis/close_fate.h"

namespace finwait::planning {
namespace {

using diagnosis::Fate;

CloseResult ResultOf(Fate fate, const std::string& text = "") {
  CloseResult close;
  close.fate = fate;
  if (!text.empty()) {
    close.rule.emplace();
    close.rule->family = firewall::TableFamily::kInet;
    close.rule->table = "t";
    close.rule->chain = "o";
    close.hook = "output";
    close.text = text;
  }
  return close;
}

TEST(CloseResultTest, ACloseThatWorksAndThenDoesNotIsNewlyLost) {
  for (const Fate fate :
       {Fate::kFinDropped, Fate::kAckDropped, Fate::kNatLost, Fate::kPeerFinDropped, Fate::kPeerDecides}) {
    EXPECT_EQ(ChangeBetween(ResultOf(Fate::kClean), ResultOf(fate)), Change::kNewlyLost) << Name(fate);
    EXPECT_EQ(ChangeBetween(ResultOf(fate), ResultOf(Fate::kClean)), Change::kNewlyCloses) << Name(fate);
  }
}

TEST(CloseResultTest, FailingOnlyIfThePeerClosesFirstIsLessThanFailingAlways) {
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kPeerFinDropped), ResultOf(Fate::kFinDropped)), Change::kNewlyLost);
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kPeerDecides), ResultOf(Fate::kAckDropped)), Change::kNewlyLost);
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kFinDropped), ResultOf(Fate::kPeerFinDropped)), Change::kNewlyCloses);
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kFinDropped), ResultOf(Fate::kAckDropped)), Change::kOtherwise);
}

TEST(CloseResultTest, WhatIsUnknownIsNeverTakenForHarmless) {
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kClean), ResultOf(Fate::kUnknown)), Change::kNotKnowable);
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kUnknown), ResultOf(Fate::kFinDropped)), Change::kNotKnowable);
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kPeerFinDropped), ResultOf(Fate::kUnknown)), Change::kNotKnowable);
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kUnknown), ResultOf(Fate::kClean)), Change::kNone)
      << "nothing can be lost by it";
  EXPECT_EQ(ChangeBetween(ResultOf(Fate::kFinDropped), ResultOf(Fate::kUnknown)), Change::kOtherwise)
      << "it is lost already";
}

TEST(CloseResultTest, WhatHangsOnTheSameThingUnderEitherIsUnchanged) {
  const std::string translated = "cannot be known: " + std::string(diagnosis::kNotToldTranslated) + ": ";
  CloseResult before = ResultOf(Fate::kUnknown);
  before.consequence = translated + "the packet mark";
  CloseResult after = before;
  EXPECT_EQ(ChangeBetween(before, after), Change::kNone);
  after.consequence = translated + "which end opened the connection";
  EXPECT_EQ(ChangeBetween(before, after), Change::kNotKnowable);
}

TEST(CloseResultTest, TheSameWordsForOtherThingsMayHideALoss) {
  for (const std::string& hangs_on :
       {std::string("a random choice"), std::string("a rate limit"), std::string("the packet mark"),
        std::string("what ipset blocked holds"),
        std::string(diagnosis::kNotToldTranslated) + ": " + std::string(firewall::xt::kWhatIpset) + "blocked holds",
        std::string(diagnosis::kNotToldTranslated) + ": " + std::string(firewall::xt::kWhatUnreadIpset)}) {
    CloseResult either = ResultOf(Fate::kUnknown);
    either.consequence = "cannot be known: " + hangs_on;
    EXPECT_EQ(ChangeBetween(either, either), Change::kNotKnowable) << hangs_on;
  }
}

TEST(CloseResultTest, TheSameRuleLoadedAgainIsTheSame) {
  CloseResult before = ResultOf(Fate::kFinDropped, "ct state invalid counter packets 12 bytes 640 drop");
  CloseResult after = ResultOf(Fate::kFinDropped, "ct state invalid counter packets 0 bytes 0 drop");
  before.rule->handle = 4;
  after.rule->handle = 19;
  EXPECT_EQ(ChangeBetween(before, after), Change::kNone);
  after.text = "ct state invalid counter packets 0 bytes 0 log drop";
  EXPECT_EQ(ChangeBetween(before, after), Change::kOtherwise);
  after = before;
  after.rule->chain = "p";
  EXPECT_EQ(ChangeBetween(before, after), Change::kOtherwise);
}

}  // namespace
}  // namespace finwait::planning
