#include "exporter/incidents/timeline.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::incidents {
namespace {

TEST(TimelineTest, OneCauseRuleAndOwnerIsOneIncidentFromFirstToLast) {
  const auto site = SiteAt(1);
  const auto other = SiteAt(2);
  std::deque<Record> records = {RecordOf(1, 0, 100, site), RecordOf(2, 50, 120, site), RecordOf(3, 60, 90, other)};
  records[1].outcome = Outcome::kOngoing;
  const Timeline timeline = MakeTimeline(records, {}, false);
  ASSERT_EQ(timeline.incidents.size(), 2U);
  const Incident& newest = timeline.incidents[0];
  EXPECT_EQ(newest.first, At(0));
  EXPECT_EQ(newest.last, At(120));
  EXPECT_EQ(newest.connections, 2U);
  EXPECT_TRUE(newest.IsOngoing());
  EXPECT_TRUE(newest.ProvesFailure());
  EXPECT_EQ(newest.outcomes[static_cast<std::size_t>(Outcome::kGaveUp)], 1U);
  ASSERT_EQ(newest.examples.size(), 2U);
  EXPECT_EQ(newest.examples[0].id, 2U) << "the newest first";
  EXPECT_EQ(timeline.incidents[1].site, other);
  EXPECT_TRUE(newest.orphan);
}

TEST(TimelineTest, APauseOfAnHourBeginsAnotherIncident) {
  const std::deque<Record> records = {RecordOf(1, 0, 100), RecordOf(2, 3700, 3710), RecordOf(3, 7311, 7320)};
  const Timeline timeline = MakeTimeline(records, {}, false);
  ASSERT_EQ(timeline.incidents.size(), 2U);
  EXPECT_EQ(timeline.incidents[0].connections, 1U);
  EXPECT_EQ(timeline.incidents[1].connections, 2U);
}

TEST(TimelineTest, OwnersAndCausesAreApart) {
  std::deque<Record> records = {RecordOf(1, 0, 10), RecordOf(2, 0, 10), RecordOf(3, 0, 10), RecordOf(4, 0, 10)};
  records[1].orphan = false;
  records[1].uid = 33;
  records[2].orphan = false;
  records[2].uid = 34;
  records[3].cause.reset();
  records.push_back(RecordOf(5, 0, 10));
  records.push_back(RecordOf(6, 0, 10));
  records[4].owner = std::make_shared<const std::string>("unit web.service");
  records[5].owner = std::make_shared<const std::string>("unit web.service");
  const Timeline timeline = MakeTimeline(records, {}, false);
  EXPECT_EQ(timeline.incidents.size(), 5U);
  EXPECT_TRUE(std::ranges::any_of(timeline.incidents, [](const Incident& one) {
    return one.owner != nullptr && *one.owner == "unit web.service" && one.connections == 2;
  }));
}

TEST(TimelineTest, NamedResetsAreExamplesAndProveAFailureByTheirCause) {
  std::deque<Record> records = {RecordOf(1, 0, 0), RecordOf(2, 5, 5), RecordOf(3, 7, 7)};
  for (Record& record : records) {
    record.kind = Kind::kReset;
    record.outcome = Outcome::kCounted;
    record.orphan = false;
  }
  records[1].cause = diagnosis::Cause::kLocalError;
  records[2].cause.reset();
  records[2].local = records[2].peer = Endpoint();
  const Timeline timeline = MakeTimeline(records, {}, false);
  ASSERT_EQ(timeline.incidents.size(), 3U);
  EXPECT_TRUE(timeline.incidents[0].ProvesFailure()) << "counted while this host's rules drop resets";
  EXPECT_TRUE(timeline.incidents[0].examples.empty());
  EXPECT_FALSE(timeline.incidents[1].ProvesFailure());
  EXPECT_TRUE(timeline.incidents[2].ProvesFailure());
  EXPECT_EQ(timeline.incidents[2].examples.size(), 1U);
}

TEST(TimelineTest, WhatEndedBeforeTheTimeAskedForIsLeftOut) {
  const std::deque<Record> records = {RecordOf(1, 0, 100), RecordOf(2, 50, 200)};
  const Timeline timeline = MakeTimeline(records, {{At(0), At(90)}, {At(95), At(300)}}, true, At(150));
  ASSERT_EQ(timeline.incidents.size(), 1U);
  EXPECT_EQ(timeline.incidents[0].connections, 1U);
  ASSERT_EQ(timeline.observed.size(), 1U);
  EXPECT_EQ(timeline.observed[0].to, At(300));
}

TEST(TimelineTest, TimesWithoutThisProgramAreKnownButForRestarts) {
  Timeline timeline;
  timeline.observed = {{At(0), At(100)}, {At(130), At(200)}, {At(500), At(950)}};
  const std::vector<Span> unobserved = Unobserved(timeline, At(-100), At(1000));
  ASSERT_EQ(unobserved.size(), 2U);
  EXPECT_EQ(unobserved[0].from, At(-100));
  EXPECT_EQ(unobserved[0].to, At(0));
  EXPECT_EQ(unobserved[1].from, At(200));
  EXPECT_EQ(unobserved[1].to, At(500));
  EXPECT_TRUE(Unobserved(timeline, At(600), At(1000)).empty());
  EXPECT_EQ(Unobserved({}, At(0), At(1000)).size(), 1U);
}

TEST(TimelineTest, MoreIncidentsThanItListsAreCounted) {
  std::deque<Record> records;
  for (std::uint64_t i = 1; i <= Timeline::kMostIncidents + 3; ++i) {
    records.push_back(RecordOf(i, static_cast<std::int64_t>(i), static_cast<std::int64_t>(i), SiteAt(i)));
  }
  const Timeline timeline = MakeTimeline(records, {}, false);
  EXPECT_EQ(timeline.incidents.size(), Timeline::kMostIncidents);
  EXPECT_EQ(timeline.not_listed, 3U);
  EXPECT_EQ(timeline.incidents[0].last, At(Timeline::kMostIncidents + 3));
}

}  // namespace
}  // namespace finwait::incidents
