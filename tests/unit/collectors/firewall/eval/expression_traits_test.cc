#include "collectors/firewall/eval/expression_traits.h"

#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>

#include "collectors/firewall/eval/packet_traversal.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::firewall::eval {
namespace {

// More chains of one priority than the kernel's order is tried for: with a rule that changes packets nobody can tell.
Disposition DecideWithFiveChains(const Expression& expression) {
  HandMadeTable table;
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    table.Base(name, Hook::kOutput, {{expression}});
  }
  const Ruleset ruleset = table.AsRuleset();
  ChainEvaluator evaluator(ruleset);
  Connection connection;
  connection.local = Endpoint::Parse("192.0.2.1:40000");
  connection.peer = Endpoint::Parse("192.0.2.2:80");
  connection.egress = Interface{"eth0", 2, 1, 0, ""};
  return EvaluatePacket(evaluator, connection, PacketKind::kFin, {}).disposition;
}

TEST(ExpressionTraitsTest, OrderDoesNotMatterForWhatKeepsThePacket) {
  for (const char* name : {"AUDIT", "CHECKSUM", "CONNSECMARK", "LED", "LOG", "SECMARK", "TCPMSS", "TEE", "TRACE"}) {
    EXPECT_EQ(DecideWithFiveChains(XtTarget{name, 0, {}}), Disposition::kAccept) << name;
  }
  EXPECT_EQ(DecideWithFiveChains(Counter{}), Disposition::kAccept);
  EXPECT_EQ(DecideWithFiveChains(MetaSet{NFT_META_NFTRACE, Register{0}}), Disposition::kAccept);
}

TEST(ExpressionTraitsTest, OrderMattersForWhatChangesThePacket) {
  EXPECT_EQ(DecideWithFiveChains(XtTarget{"CLASSIFY", 0, {}}), Disposition::kUnknown);
  EXPECT_EQ(DecideWithFiveChains(XtTarget{"TTL", 0, {}}), Disposition::kUnknown);
  EXPECT_EQ(DecideWithFiveChains(MetaSet{NFT_META_MARK, Register{0}}), Disposition::kUnknown);
  EXPECT_EQ(DecideWithFiveChains(Notrack{}), Disposition::kUnknown);
}

TEST(ExpressionTraitsTest, TranslationChangesPacketsInEitherForm) {
  for (const Expression& expression :
       {Expression(Nat{}), Expression(Masquerade{}), Expression(Redirect{}), Expression(XtTarget{"DNAT", 0, {}}),
        Expression(XtTarget{"MASQUERADE", 0, {}})}) {
    EXPECT_EQ(TraitsOf(expression), (Traits{.changes_packet = true, .needs_conntrack = true, .terminal = true}));
  }
}

TEST(ExpressionTraitsTest, AStepBehindATerminalOneNeverRuns) {
  Rule rule;
  rule.expressions = {Drops(), MetaSet{NFT_META_MARK, Register{0}}};
  EXPECT_FALSE(ChangesPackets(rule));
  rule.expressions = {Says(Verdict::Kind::kContinue), MetaSet{NFT_META_MARK, Register{0}}};
  EXPECT_TRUE(ChangesPackets(rule));
}

TEST(ExpressionTraitsTest, CountingConnectionsNeedsConntrack) {
  DynamicSet meter;
  EXPECT_FALSE(TraitsOf(meter).needs_conntrack);
  meter.expressions = {"connlimit"};
  EXPECT_TRUE(TraitsOf(meter).needs_conntrack);
  EXPECT_TRUE(TraitsOf(ConnectionLimit{}).needs_conntrack);
  EXPECT_TRUE(TraitsOf(ObjectReference{NFT_OBJECT_CONNLIMIT, "o"}).needs_conntrack);
  EXPECT_TRUE(TraitsOf(XtMatch{"connlimit", 1, {}}).needs_conntrack);
}

TEST(ExpressionTraitsTest, WhatIsNotKnownMayChangeThePacketAndIsUnknowable) {
  for (const Expression& expression : {Expression(UnknownExpression{"warp", ""}), Expression(XtMatch{"warp", 0, {}}),
                                       Expression(XtTarget{"WARP", 0, {}})}) {
    EXPECT_TRUE(TraitsOf(expression).changes_packet);
    EXPECT_FALSE(TraitsOf(expression).unknowable_because.empty());
  }
}

}  // namespace
}  // namespace finwait::firewall::eval
