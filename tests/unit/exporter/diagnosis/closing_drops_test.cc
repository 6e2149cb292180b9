#include "exporter/diagnosis/closing_drops.h"

#include <gtest/gtest.h>

#include "exporter/diagnosis/packet_evaluator.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Accepts;
using firewall::eval::PacketKind;

ClosingDrops Of(std::shared_ptr<const firewall::Ruleset> rules, bool tracked = false) {
  PacketEvaluator evaluator(std::move(rules), {true, {true, true}}, {});
  return FindClosingDrops(evaluator, firewall::eval::RepresentativeFlow(IpFamily::kIpv4), false, tracked);
}

std::vector<PacketKind> Packets(const ClosingDrops& drops) {
  std::vector<PacketKind> packets;
  for (const ClosingDrop& drop : drops.places) {
    packets.push_back(drop.packet);
  }
  return packets;
}

TEST(ClosingDropsTest, WhereNothingDropsThereAreNone) {
  const ClosingDrops drops = Of(DropsAt({}));
  EXPECT_TRUE(drops.places.empty());
  EXPECT_TRUE(drops.enough);
}

TEST(ClosingDropsTest, AFirewallThatDropsBothWaysHasToBeOpenedBothWays) {
  const ClosingDrops drops = Of(DropsAt({Hook::kInput, Hook::kOutput}));
  // The policy of INPUT, once open for answers, is open for the peer's FIN as well; OUTPUT's, open for FINs, is not for
  // ACKs.
  EXPECT_EQ(Packets(drops), (std::vector{PacketKind::kFin, PacketKind::kAck, PacketKind::kData}));
  EXPECT_EQ(drops.places[0].accepts, Accepts::kClosing);
  EXPECT_EQ(drops.places[1].accepts, Accepts::kReplies);
  EXPECT_EQ(drops.places[1].site.rule.chain, "INPUT");
  for (const ClosingDrop& drop : drops.places) {
    EXPECT_TRUE(drop.helps) << static_cast<int>(drop.packet) << " at " << drop.site.rule.chain;
  }
  EXPECT_TRUE(drops.enough) << drops.reason;
}

TEST(ClosingDropsTest, TwoTablesInSeriesAreBothNamed) {
  firewall::Ruleset both = *DropsStateAt(Hook::kOutput, kStateInvalid);
  for (auto& [name, chain] : both.tables.front().chains) {
    auto made = std::make_shared<firewall::Chain>(*chain);
    made->handle = 1;
    if (made->base) {
      made->base->made_with_table = true;  // of two tables whose order is not known neither is named
    }
    chain = std::move(made);
  }
  both.tables.push_back(both.tables.front());
  both.tables.back().name = "second";
  const ClosingDrops drops = Of(std::make_shared<const firewall::Ruleset>(both));
  ASSERT_EQ(drops.places.size(), 2U);
  EXPECT_NE(drops.places[0].site.rule.table, drops.places[1].site.rule.table);
  EXPECT_TRUE(drops.enough);
}

TEST(ClosingDropsTest, FinsThatDieWithTheirEntryAreLetPassInAnyState) {
  const ClosingDrops drops = Of(DropsFlagAt(Hook::kOutput, kFlagFin), true);
  ASSERT_EQ(drops.places.size(), 1U);
  EXPECT_EQ(drops.places[0].accepts, Accepts::kFins);
  EXPECT_TRUE(drops.enough);
}

TEST(ClosingDropsTest, AnAcceptThatAsksForAnotherStateDoesNotHelpAndSaysSo) {
  using namespace firewall;
  using namespace firewall::eval;
  HandMadeTable table;
  table.Base("raw", Hook::kOutput, {{Notrack{}}}, false, -300);
  table.Base("filter", Hook::kOutput, {}, true);
  const ClosingDrops drops = Of(std::make_shared<const Ruleset>(table.AsRuleset()));
  ASSERT_FALSE(drops.places.empty());
  EXPECT_FALSE(drops.places[0].helps);
  EXPECT_FALSE(drops.enough);
}

}  // namespace
}  // namespace finwait::diagnosis
