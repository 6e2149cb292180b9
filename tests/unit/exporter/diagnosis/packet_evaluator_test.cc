#include "exporter/diagnosis/packet_evaluator.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"
#include "tests/unit/exporter/diagnosis/snapshot_builder.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Disposition;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::Tristate;

class PacketEvaluatorTest : public testing::Test {
 protected:
  static Disposition FinOf(std::shared_ptr<const firewall::Ruleset> rules, EvaluationSettings settings,
                           bool tracked = false) {
    PacketEvaluator evaluator(std::move(rules), std::move(settings), {});
    return (tracked ? evaluator.EvaluateTrackedPath(Connection(), PacketKind::kFin)
                    : evaluator.EvaluatePath(Connection(), PacketKind::kFin))
        .disposition;
  }
  static firewall::eval::Connection Connection() { return ConnectionByEnds(ListedSocket(ForgottenSocket(1))); }
};

TEST_F(PacketEvaluatorTest, ASynProxyTranslatesWhatThePeerOpened) {
  firewall::eval::HandMadeTable table;
  table.Base("c", Hook::kInput, {{firewall::Synproxy{}}});
  PacketEvaluator evaluator(std::make_shared<const firewall::Ruleset>(table.AsRuleset()), {true, {true, true}}, {});
  firewall::eval::Connection connection = Connection();
  connection.opened_by = OpenedBy::kPeer;
  EXPECT_EQ(evaluator.TranslationOf(connection, nullptr).Any(), Tristate::kYes);
  connection.opened_by = OpenedBy::kLocal;
  EXPECT_EQ(evaluator.TranslationOf(connection, nullptr).Any(), Tristate::kNo);
}

TEST_F(PacketEvaluatorTest, AFullTableDropsWhatHasNoEntryWhereConntrackRuns) {
  EvaluationSettings full{true, {true, true}};
  full.table_full = true;
  EXPECT_EQ(FinOf(DropsAt({}), full), Disposition::kDrop);
  EXPECT_EQ(FinOf(DropsAt({}), full, true), Disposition::kAccept) << "it has one";
  full.conntrack_active = {false, false};
  EXPECT_EQ(FinOf(DropsAt({}), full), Disposition::kAccept);
}

TEST_F(PacketEvaluatorTest, WhatPassesRulesThatCouldNotBeReadIsUnknown) {
  EXPECT_EQ(FinOf(UnreadableRules(), {true, {true, true}}), Disposition::kUnknown);
  EXPECT_EQ(FinOf(UnreadableRules(), {true, {true, true}}, true), Disposition::kUnknown);
}

TEST_F(PacketEvaluatorTest, KnowsWhatHoldsForEveryConnectionOfAFamily) {
  PacketEvaluator open(DropsAt({}), {true, {true, true}}, {});
  EXPECT_TRUE(open.AllFareAlike(IpFamily::kIpv4, {}, false));
  EXPECT_TRUE(open.FareAlikeOverLoopback(IpFamily::kIpv4, false));
  EXPECT_TRUE(open.AllTrackedAreClean(IpFamily::kIpv4, PathKind::kLocal, false, false));
  PacketEvaluator leak_prevention(DropsFlagAt(Hook::kOutput, kFlagFin), {true, {true, true}}, {});
  EXPECT_FALSE(leak_prevention.AllTrackedAreClean(IpFamily::kIpv4, PathKind::kLocal, false, false));
}

}  // namespace
}  // namespace finwait::diagnosis
