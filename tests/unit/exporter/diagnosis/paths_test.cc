#include "exporter/diagnosis/paths.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait {
namespace {

using firewall::Hook;
using firewall::PathDecision;

PathJudgement Judge(std::shared_ptr<const firewall::Ruleset> rules) {
  CloseJudge judge(std::move(rules), {true, {true, true}}, {});
  return JudgePaths(judge, IpFamily::kIpv4);
}

TEST(PathsTest, EachPacketIsJudgedOnItsOwnWay) {
  const PathJudgement out = Judge(DropsAt({Hook::kOutput}));
  for (const char* packet : {"fin", "rst", "data"}) {
    EXPECT_EQ(out.decisions[PathPacket(packet)], PathDecision::kDrop) << packet;
    EXPECT_TRUE(out.places[PathPacket(packet)].has_value()) << packet;
  }
  for (const char* packet : {"ack", "peer_fin", "forwarded_fin"}) {
    EXPECT_EQ(out.decisions[PathPacket(packet)], PathDecision::kAccept) << packet;
    EXPECT_FALSE(out.places[PathPacket(packet)].has_value()) << packet;
  }
  const PathJudgement in = Judge(DropsAt({Hook::kInput}));
  EXPECT_EQ(in.decisions[PathPacket("fin")], PathDecision::kAccept);
  EXPECT_EQ(in.decisions[PathPacket("ack")], PathDecision::kDrop);
}

TEST(PathsTest, WhatCannotBeReadIsUnknown) {
  for (const PathDecision decision : Judge(UnreadableRules()).decisions) {
    EXPECT_EQ(decision, PathDecision::kUnknown);
  }
}

TEST(PathsTest, AnEntryShowsThatConntrackIsActiveWhateverTheRulesSay) {
  const auto rules = DropsAt({});
  EXPECT_EQ(IsConntrackActive(*rules, nullptr, nullptr, IpFamily::kIpv4), false);
  ConntrackTableSample table;
  table.flows[0].udp = 1;
  EXPECT_EQ(IsConntrackActive(*rules, &table, nullptr, IpFamily::kIpv4), true);
  EXPECT_EQ(IsConntrackActive(*rules, &table, nullptr, IpFamily::kIpv6), false);
  TrackingSample tracking;
  LiveSocket tracked;
  tracked.tracking = Tracking::kTracked;
  tracking.sockets.Add(tracked);
  EXPECT_EQ(IsConntrackActive(*rules, nullptr, &tracking, IpFamily::kIpv4), true);
}

TEST(PathsTest, WithoutTheRulesItCannotBeToldWhetherConntrackIsActive) {
  EXPECT_EQ(IsConntrackActive(*UnreadableRules(), nullptr, nullptr, IpFamily::kIpv4), std::nullopt);
}

}  // namespace
}  // namespace finwait
