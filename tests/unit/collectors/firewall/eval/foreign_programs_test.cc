// What is no rule and may drop a packet: rules and programs put together by hand.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::firewall::eval {
namespace {

using facts::ForeignProgram;

class ForeignProgramsTest : public testing::Test {
 protected:
  ForeignProgramsTest() {
    connection_.egress = Interface{"eth0", 2, 1, 0, ""};
    connection_.local_socket.control_group = 7;
  }

  TraversalResult Evaluate(ForeignProgram program, PacketKind kind = PacketKind::kFin, const Ruleset& rules = {}) {
    const std::vector<ForeignProgram> programs = {std::move(program)};
    ChainEvaluator evaluator(rules);
    PacketPathSettings settings;
    settings.programs = &programs;
    return EvaluatePacket(evaluator, connection_, kind, settings);
  }
  Disposition Fate(ForeignProgram program, PacketKind kind = PacketKind::kFin) {
    return Evaluate(std::move(program), kind).disposition;
  }

  Connection connection_;
};

TEST_F(ForeignProgramsTest, WhatRulesLetPassIsUnknownWithItsName) {
  const TraversalResult result = Evaluate({Hook::kEgress, 2, 0, "the program"});
  EXPECT_EQ(result.disposition, Disposition::kUnknown);
  EXPECT_EQ(result.hook, Hook::kEgress);
  EXPECT_NE(result.reason.find("the program"), std::string::npos);
}

TEST_F(ForeignProgramsTest, WhatARuleDropsIsDroppedThereWhateverProgramsDo) {
  const HandMadeTable before = HandMadeTable().Base("in", Hook::kInput, {{Drops()}});
  const TraversalResult result = Evaluate({Hook::kIngress, 2, 0, "x"}, PacketKind::kAck, before.AsRuleset());
  EXPECT_EQ(result.disposition, Disposition::kDrop);
  ASSERT_TRUE(result.location);
  EXPECT_EQ(result.location->chain, "in");
}

TEST_F(ForeignProgramsTest, ADevicesProgramsSeeItsOwnPacketsInTheirDirection) {
  EXPECT_EQ(Fate({Hook::kEgress, 3, 0, "x"}), Disposition::kAccept);
  EXPECT_EQ(Fate({Hook::kIngress, 2, 0, "x"}), Disposition::kAccept);
  EXPECT_EQ(Fate({Hook::kIngress, 2, 0, "x"}, PacketKind::kAck), Disposition::kUnknown);
  connection_.egress = {};
  EXPECT_EQ(Fate({Hook::kEgress, 3, 0, "x"}), Disposition::kUnknown) << "which device is not known";
}

TEST_F(ForeignProgramsTest, AGroupsProgramsSeeThePacketsOfItsSockets) {
  EXPECT_EQ(Fate({Hook::kPostrouting, 0, 7, "x"}), Disposition::kUnknown);
  EXPECT_EQ(Fate({Hook::kPostrouting, 0, 8, "x"}), Disposition::kAccept);
  EXPECT_EQ(Fate({Hook::kPostrouting, 0, ForeignProgram::kRoot, "x"}), Disposition::kUnknown) << "all are in the root";
  EXPECT_EQ(Fate({Hook::kInput, 0, 7, "x"}), Disposition::kAccept);
  EXPECT_EQ(Fate({Hook::kInput, 0, 7, "x"}, PacketKind::kAck), Disposition::kUnknown);
}

TEST_F(ForeignProgramsTest, TheRepresentativeConnectionIsAtNoDevice) {
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLocal);
  EXPECT_EQ(Fate({Hook::kEgress, 2, 0, "x"}), Disposition::kAccept);
  EXPECT_EQ(Fate({Hook::kEgress, 0, 0, "x"}), Disposition::kAccept);
  EXPECT_EQ(Fate({Hook::kPostrouting, 0, ForeignProgram::kRoot, "x"}), Disposition::kAccept) << "it has no socket";
  EXPECT_EQ(Fate({Hook::kOutput, 0, 0, "x"}), Disposition::kUnknown) << "a link in netfilter acts on all";
}

}  // namespace
}  // namespace finwait::firewall::eval
