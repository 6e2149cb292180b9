#include "exporter/views/page/charts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace finwait::views::page::charts {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ChartsTest, EveryStageHasAShapeOfItsOwn) {
  std::set<std::string> shapes = {StageIcon(std::nullopt)};
  for (const diagnosis::Stage stage : diagnosis::kStages) {
    shapes.insert(StageIcon(stage));
  }
  EXPECT_EQ(shapes.size(), std::size(diagnosis::kStages) + 1);
}

TEST(ChartsTest, TheTabsIconHoldsNothingThatAUrlMustNot) {
  const std::string url = StageIconUrl(diagnosis::Stage::kFailing);
  EXPECT_EQ(url.rfind("data:image/svg+xml,", 0), 0U);
  EXPECT_EQ(url.find_first_of("<>#\" "), std::string::npos);
}

TEST(ChartsTest, TheMarkerStandsAtTheScoreFromOneEndOfTheBandsToTheOther) {
  EXPECT_THAT(ScoreScale(diagnosis::Stage::kNone, 0), HasSubstr("cx=\"0%\""));
  EXPECT_THAT(ScoreScale(diagnosis::Stage::kExposed, 50.5), HasSubstr("cx=\"50%\""));
  EXPECT_THAT(ScoreScale(diagnosis::Stage::kFailing, 100), HasSubstr("cx=\"100%\""));
}

TEST(ChartsTest, WithoutAStageNoBandIsCurrentAndWithoutAScoreThereIsNoMarker) {
  const std::string scale = ScoreScale(std::nullopt, std::nullopt);
  EXPECT_THAT(scale, Not(HasSubstr("current")));
  EXPECT_THAT(scale, Not(HasSubstr("marker")));
}

TEST(ChartsTest, AHistogramSaysInWordsWhatItDraws) {
  sources::AgeHistogram idle;
  idle.counts = {3, 0, 0, 0, 0, 0, 0, 1};
  const std::string drawn = IdleHistogram("established", idle, 432000);
  EXPECT_THAT(drawn,
              HasSubstr("role=\"img\" aria-label=\"established: 4 entries, 3 idle for up to 15\u00A0s, 1 idle for "
                        "more than 5\u00A0d; forgotten after 5\u00A0d\""));
}

TEST(ChartsTest, OneEntryAmongAMillionIsStillDrawn) {
  sources::AgeHistogram idle;
  idle.counts = {1, 1000000, 0, 0, 0, 0, 0, 0};
  EXPECT_THAT(IdleHistogram("established", idle, std::nullopt), HasSubstr("height=\"2\""));
}

TEST(ChartsTest, TheCurveSaysInWordsWhatItDraws) {
  diagnosis::IdleSummary idle;
  idle.sockets = 50;
  idle.outlived = {40, 40, 1};
  idle.outlived_without_keepalive = {38, 40, 1};
  const std::string drawn = SilenceCurve(idle);
  EXPECT_THAT(drawn, HasSubstr("role=\"img\" aria-label=\"50 live connections. Silent for longer than 60 s: 40, of "
                               "these 38 without a keepalive before; 240 s: 40, of these 40"));
  EXPECT_THAT(drawn, HasSubstr("86400 s: 0\""));
  EXPECT_THAT(drawn, HasSubstr("<polygon class=\"area all\" points=\"63,110 63,40 188,40 313,108 438,110"))
      << "one of fifty is still to be seen";
  EXPECT_THAT(SilenceCurve({}), HasSubstr(">none</text>"));
}

TEST(ChartsTest, AnEmptyHistogramSaysSo) {
  const std::string drawn = IdleHistogram("last_ack", {}, 30);
  EXPECT_THAT(drawn, HasSubstr(">no entries</text>"));
  EXPECT_THAT(drawn, Not(HasSubstr("<rect")));
}

TEST(ChartsTest, TheTimeoutStandsOnTheEdgeThatIsItsOwnBound) {
  // 5 days are the edge between the seventh bucket of eight and the last.
  EXPECT_THAT(IdleHistogram("established", {}, 432000), HasSubstr("x1=\"87.5%\""));
}

TEST(ChartsTest, ATimeoutThatEndsBeforeTheFirstKeepaliveStandsOut) {
  EXPECT_THAT(TimeoutBar(60, 7200), HasSubstr("bar early"));
  EXPECT_THAT(TimeoutBar(7200, 7200), HasSubstr("bar early")) << "the entry ends first, or at the same moment";
  EXPECT_THAT(TimeoutBar(432000, 7200), Not(HasSubstr("early")));
  EXPECT_THAT(TimeoutBar(60, std::nullopt), Not(HasSubstr("limit")));
}

}  // namespace
}  // namespace finwait::views::page::charts
