#include "exporter/diagnosis/drop_site.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/packet_evaluator.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::TableFamily;

TEST(DropSiteTest, OfALostPacketIsWhereItDiesAndOfAnyOtherThereIsNone) {
  PacketEvaluator evaluator(DropsAt({Hook::kOutput}), {true, {true, true}}, {});
  const auto lost =
      SiteOf(evaluator.General(IpFamily::kIpv6, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kFin),
             evaluator);
  ASSERT_TRUE(lost.has_value());
  EXPECT_EQ(lost->rule.family, TableFamily::kIpv6);
  EXPECT_EQ(lost->rule.chain, "OUTPUT");
  EXPECT_EQ(lost->hook, Hook::kOutput);
  EXPECT_FALSE(lost->rejects);
  EXPECT_FALSE(
      SiteOf(evaluator.General(IpFamily::kIpv6, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kAck),
             evaluator));
  PacketEvaluator unavailable(UnreadableRules(), {true, {true, true}}, {});
  EXPECT_FALSE(
      SiteOf(unavailable.General(IpFamily::kIpv4, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kFin),
             unavailable));
}

TEST(DropSitesTest, AllPacketsLostAtOneRuleShareOneSiteWithItsText) {
  const firewall::eval::HandMadeTable table =
      firewall::eval::HandMadeTable().Base("out", Hook::kOutput, {{firewall::eval::Drops()}});
  PacketEvaluator evaluator(std::make_shared<const firewall::Ruleset>(table.AsRuleset()), {true, {true, true}}, {});
  const auto lost =
      evaluator.General(IpFamily::kIpv4, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kFin);
  DropSites sites;
  const auto first = sites.Of(lost, evaluator);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(*first, SiteOf(lost, evaluator));
  EXPECT_FALSE(first->rule_text.empty());
  EXPECT_EQ(sites.Of(lost, evaluator), first);
  EXPECT_EQ(
      sites.Of(evaluator.General(IpFamily::kIpv4, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kAck),
               evaluator),
      nullptr);
}

}  // namespace
}  // namespace finwait::diagnosis
