#include "exporter/diagnosis/conntrack_activity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using testing::ElementsAre;

TEST(ConntrackActivityTest, AnEntryShowsThatItIsActiveWhateverTheRulesSay) {
  const auto rules = DropsAt({});
  EXPECT_THAT(IsConntrackActive(*rules, nullptr, nullptr), ElementsAre(false, false));
  sources::ConntrackTableSample table;
  table.flows[IpFamily::kIpv4].udp = 1;
  EXPECT_THAT(IsConntrackActive(*rules, &table, nullptr), ElementsAre(true, false));
  sources::TrackingSample tracking;
  kernel::TcpSocket tracked;
  tracked.entry.tracking = kernel::Tracking::kTracked;
  tracking.sockets.Add(tracked);
  EXPECT_THAT(IsConntrackActive(*rules, nullptr, &tracking), ElementsAre(true, false));
}

TEST(ConntrackActivityTest, WithoutTheRulesItCannotBeTold) {
  EXPECT_THAT(IsConntrackActive(*UnreadableRules(), nullptr, nullptr), ElementsAre(std::nullopt, std::nullopt));
}

TEST(ConntrackActivityTest, WhatCannotBeToldCountsAsActive) {
  EXPECT_THAT(MayBeActive({std::nullopt, false}), ElementsAre(true, false));
}

}  // namespace
}  // namespace finwait::diagnosis
