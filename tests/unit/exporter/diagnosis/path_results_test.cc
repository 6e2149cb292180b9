#include "exporter/diagnosis/path_results.h"

#include <gtest/gtest.h>

#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Disposition;

PathResults Evaluate(std::shared_ptr<const firewall::Ruleset> rules) {
  PacketEvaluator evaluator(std::move(rules), {true, {true, true}}, {});
  return EvaluatePaths(evaluator, IpFamily::kIpv4);
}

TEST(PathsTest, EachPacketIsEvaluatedOnItsOwnWay) {
  const PathResults out = Evaluate(DropsAt({Hook::kOutput}));
  for (const PathPacket packet : {PathPacket::kFin, PathPacket::kRst, PathPacket::kData}) {
    EXPECT_EQ(out.dispositions[Index(packet)], Disposition::kDrop) << kPathPackets[Index(packet)];
    EXPECT_TRUE(out.places[Index(packet)].has_value()) << kPathPackets[Index(packet)];
  }
  for (const PathPacket packet : {PathPacket::kAck, PathPacket::kPeerFin, PathPacket::kForwardedFin}) {
    EXPECT_EQ(out.dispositions[Index(packet)], Disposition::kAccept) << kPathPackets[Index(packet)];
    EXPECT_FALSE(out.places[Index(packet)].has_value()) << kPathPackets[Index(packet)];
  }
  const PathResults in = Evaluate(DropsAt({Hook::kInput}));
  EXPECT_EQ(in.dispositions[Index(PathPacket::kFin)], Disposition::kAccept);
  EXPECT_EQ(in.dispositions[Index(PathPacket::kAck)], Disposition::kDrop);
}

TEST(PathsTest, WhatCannotBeReadIsUnknown) {
  for (const Disposition disposition : Evaluate(UnreadableRules()).dispositions) {
    EXPECT_EQ(disposition, Disposition::kUnknown);
  }
}

}  // namespace
}  // namespace finwait::diagnosis
