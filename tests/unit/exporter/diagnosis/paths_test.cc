#include "exporter/diagnosis/paths.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Disposition;

PathResults Evaluate(std::shared_ptr<const firewall::Ruleset> rules) {
  CloseEvaluator judge(std::move(rules), {true, {true, true}}, {});
  return EvaluatePaths(judge, IpFamily::kIpv4);
}

TEST(PathsTest, EachPacketIsJudgedOnItsOwnWay) {
  const PathResults out = Evaluate(DropsAt({Hook::kOutput}));
  for (const char* packet : {"fin", "rst", "data"}) {
    EXPECT_EQ(out.decisions[PathPacket(packet)], Disposition::kDrop) << packet;
    EXPECT_TRUE(out.places[PathPacket(packet)].has_value()) << packet;
  }
  for (const char* packet : {"ack", "peer_fin", "forwarded_fin"}) {
    EXPECT_EQ(out.decisions[PathPacket(packet)], Disposition::kAccept) << packet;
    EXPECT_FALSE(out.places[PathPacket(packet)].has_value()) << packet;
  }
  const PathResults in = Evaluate(DropsAt({Hook::kInput}));
  EXPECT_EQ(in.decisions[PathPacket("fin")], Disposition::kAccept);
  EXPECT_EQ(in.decisions[PathPacket("ack")], Disposition::kDrop);
}

TEST(PathsTest, WhatCannotBeReadIsUnknown) {
  for (const Disposition decision : Evaluate(UnreadableRules()).decisions) {
    EXPECT_EQ(decision, Disposition::kUnknown);
  }
}

TEST(PathsTest, AnEntryShowsThatConntrackIsActiveWhateverTheRulesSay) {
  const auto rules = DropsAt({});
  EXPECT_EQ(IsConntrackActive(*rules, nullptr, nullptr, IpFamily::kIpv4), false);
  sources::ConntrackTableSample table;
  table.flows[0].udp = 1;
  EXPECT_EQ(IsConntrackActive(*rules, &table, nullptr, IpFamily::kIpv4), true);
  EXPECT_EQ(IsConntrackActive(*rules, &table, nullptr, IpFamily::kIpv6), false);
  sources::TrackingSample tracking;
  kernel::TcpSocket tracked;
  tracked.entry.tracking = kernel::Tracking::kTracked;
  tracking.sockets.Add(tracked);
  EXPECT_EQ(IsConntrackActive(*rules, nullptr, &tracking, IpFamily::kIpv4), true);
}

TEST(PathsTest, WithoutTheRulesItCannotBeToldWhetherConntrackIsActive) {
  EXPECT_EQ(IsConntrackActive(*UnreadableRules(), nullptr, nullptr, IpFamily::kIpv4), std::nullopt);
}

}  // namespace
}  // namespace finwait::diagnosis
