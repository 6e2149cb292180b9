// One file suffices for a new extension: warp.cc is known to no other file, only to the registry that these tests make.
#include <gmock/gmock.h>
#include <linux/netfilter/xt_mark.h>

#include "collectors/firewall/eval/expression_traits.h"
#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/xt/registry.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"
#include "tests/unit/collectors/firewall/xt/warp.h"

namespace finwait::firewall::xt {
namespace {

using eval::Disposition;
using eval::Drops;
using eval::HandMadeTable;
using testing::HasSubstr;

const Registry& WithWarp() {
  static const Registry registry{families::Mark(), Warp()};
  return registry;
}

class WarpEvaluator : public eval::ChainEvaluator {
 public:
  using ChainEvaluator::ChainEvaluator;
  const Registry& Extensions() const override { return WithWarp(); }
};

XtMatch MatchPort(std::uint16_t port) { return {"warp", 7, InfoOf(WarpMatchInfo{port})}; }
XtTarget SetMark(std::uint32_t mark) { return {"WARP", 0, InfoOf(WarpTargetInfo{mark})}; }
XtMatch MarkIs(std::uint32_t mark) {
  return {"mark", 1, InfoOf(xt_mark_mtinfo1{.mark = mark, .mask = 0xffffffff, .invert = 0})};
}

packet::Connection ToPort80() {
  packet::Connection connection;
  connection.local = Endpoint::Parse("192.0.2.1:40000");
  connection.peer = Endpoint::Parse("192.0.2.2:80");
  connection.egress = packet::Interface{"eth0", 2, 1, 0, ""};
  return connection;
}

template <typename Evaluator>
eval::TraversalResult EvaluateFin(const HandMadeTable& table) {
  const Ruleset ruleset = table.AsRuleset();
  Evaluator evaluator(ruleset);
  return EvaluatePacket(evaluator, ToPort80(), packet::PacketKind::kFin, {});
}

HandMadeTable WithRules(std::vector<std::vector<Expression>> rules) {
  return HandMadeTable(Backend::kLegacy, TableFamily::kIpv4).Base("OUTPUT", Hook::kOutput, std::move(rules));
}

TEST(MadeUpExtensionTest, ItsMatchDecidesWhichPacketsARuleDrops) {
  EXPECT_EQ(EvaluateFin<WarpEvaluator>(WithRules({{MatchPort(80), Drops()}})).disposition, Disposition::kDrop);
  EXPECT_EQ(EvaluateFin<WarpEvaluator>(WithRules({{MatchPort(81), Drops()}})).disposition, Disposition::kAccept);
}

TEST(MadeUpExtensionTest, ItsTargetChangesThePacketForTheNextRule) {
  EXPECT_EQ(EvaluateFin<WarpEvaluator>(WithRules({{SetMark(5)}, {MarkIs(5), Drops()}})).disposition,
            Disposition::kDrop);
  EXPECT_EQ(EvaluateFin<WarpEvaluator>(WithRules({{SetMark(6)}, {MarkIs(5), Drops()}})).disposition,
            Disposition::kAccept);
}

TEST(MadeUpExtensionTest, WithoutItsFileItIsUnknownAndNamed) {
  const auto result = EvaluateFin<eval::ChainEvaluator>(WithRules({{MatchPort(80), Drops()}}));
  EXPECT_EQ(result.disposition, Disposition::kUnknown);
  EXPECT_THAT(result.reason, HasSubstr("warp"));
}

TEST(MadeUpExtensionTest, ItsTextIsPrintedAndThatOfAnotherRevisionIsNot) {
  EXPECT_EQ(WithWarp().TextOf(MatchPort(80), false), "-m warp --port 80");
  EXPECT_EQ(WithWarp().TextOf(SetMark(5), false), "-j WARP --mark 5");
  EXPECT_EQ(WithWarp().TextOf(XtMatch{"warp", 8, InfoOf(WarpMatchInfo{80})}, false), "-m warp [...]");
}

TEST(MadeUpExtensionTest, ItsTraitsAreThoseOfTheExpression) {
  EXPECT_TRUE(eval::TraitsOf(MatchPort(80), WithWarp()).needs_conntrack);
  EXPECT_FALSE(eval::TraitsOf(MatchPort(80)).needs_conntrack);
  EXPECT_EQ(eval::TraitsOf(SetMark(5), WithWarp()), (Traits{.changes_packet = true}));
}

}  // namespace
}  // namespace finwait::firewall::xt
