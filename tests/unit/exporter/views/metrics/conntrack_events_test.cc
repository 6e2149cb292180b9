#include "collectors/sources/conntrack_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "exporter/views/metrics/families.h"
#include "tests/unit/exporter/views/check_families.h"

namespace finwait::views::metrics {
namespace {

using testing::IsEmpty;

scheduling::Snapshot SnapshotOf(std::shared_ptr<const sources::ConntrackEventsSample> sample) {
  static const sources::CollectorInfo info = {.name = sources::ConntrackEventsSample::kCollector};
  scheduling::Snapshot snapshot;
  scheduling::CollectorStatus status;
  status.info = &info;
  status.data = std::move(sample);
  snapshot.collectors.push_back(status);
  return snapshot;
}

std::map<std::string, double> Series(const Families& families) {
  std::map<std::string, double> series;
  for (const auto& family : families) {
    for (const auto& metric : family.metric) {
      std::string name = family.name;
      for (const auto& label : metric.label) {
        name += " " + label.name + "=" + label.value;
      }
      series[name] = metric.counter.value;
    }
  }
  return series;
}

TEST(ConntrackEventsMetricsTest, EveryCombinationIsThereAtZeroBeforeAnythingExpired) {
  Families families;
  AppendConntrackEvents(SnapshotOf(std::make_shared<sources::ConntrackEventsSample>()), families);
  EXPECT_THAT(CheckFamilies(families), IsEmpty());
  std::map<std::string, double> expected = {{"finwait_conntrack_events_lost_total", 0},
                                            {"finwait_conntrack_events_paused_seconds_total", 0}};
  for (const char* state : {"established", "close_wait", "fin_wait", "last_ack"}) {
    for (const char* scope : {"local", "forwarded"}) {
      expected[std::string("finwait_conntrack_expired_total state=") + state + " scope=" + scope] = 0;
    }
  }
  EXPECT_EQ(Series(families), expected);
}

TEST(ConntrackEventsMetricsTest, EachCountStandsUnderItsOwnLabels) {
  auto sample = std::make_shared<sources::ConntrackEventsSample>();
  sample->counts.expired[1][0] = 3;  // close_wait, local
  sample->counts.expired[3][1] = 7;  // last_ack, forwarded
  sample->counts.losses = 2;
  sample->counts.paused = std::chrono::milliseconds(1500);
  Families families;
  AppendConntrackEvents(SnapshotOf(sample), families);
  const auto series = Series(families);
  EXPECT_EQ(series.at("finwait_conntrack_expired_total state=close_wait scope=local"), 3);
  EXPECT_EQ(series.at("finwait_conntrack_expired_total state=last_ack scope=forwarded"), 7);
  EXPECT_EQ(series.at("finwait_conntrack_expired_total state=established scope=local"), 0);
  EXPECT_EQ(series.at("finwait_conntrack_events_lost_total"), 2);
  EXPECT_EQ(series.at("finwait_conntrack_events_paused_seconds_total"), 1.5);
}

TEST(ConntrackEventsMetricsTest, AreAbsentWhereTheCollectorIsBlindOrDisabled) {
  Families families;
  AppendConntrackEvents(SnapshotOf(nullptr), families);
  AppendConntrackEvents(scheduling::Snapshot(), families);
  EXPECT_THAT(families, IsEmpty());
}

}  // namespace
}  // namespace finwait::views::metrics
