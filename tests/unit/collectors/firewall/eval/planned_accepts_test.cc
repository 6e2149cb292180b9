#include "collectors/firewall/eval/planned_accepts.h"

#include <gtest/gtest.h>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::firewall::eval {
namespace {

class PlannedAcceptsTest : public testing::Test {
 protected:
  explicit PlannedAcceptsTest(Dialect dialect = Dialect::kNft) {
    ruleset_ = HandMadeTable().Base("in", Hook::kInput, {{Drops()}, {Drops()}, {Drops()}}, true).AsRuleset();
    ruleset_.tables[0].dialect = dialect;
  }
  const Table& TheTable() const { return ruleset_.tables[0]; }
  const Chain& TheChain() const { return *FindChain(TheTable(), "in"); }
  // From 1; 0 is the policy.
  const Rule* RuleAt(std::size_t position) const {
    return position == 0 ? nullptr : &TheChain().rules.at(position - 1);
  }
  static Packet PacketOf(PacketKind kind, PacketTracking tracking) {
    Packet packet = MakePacket(Connection(), kind);
    packet.tracking = tracking;
    return packet;
  }
  // Whether such a packet passes at the rule before which the plan stands.
  bool Passes(Accepts accepts, PacketKind kind, PacketTracking tracking) const {
    PlannedAccepts planned;
    planned.Add(IdOf(TheTable(), TheChain(), RuleAt(2)), accepts);
    return planned.LetPass(TheTable(), TheChain(), RuleAt(2), PacketOf(kind, tracking));
  }
  // Whether a FIN passes at one rule by a plan that stands before another.
  bool PassesAt(std::size_t rule, std::size_t before) const {
    PlannedAccepts planned;
    planned.Add(IdOf(TheTable(), TheChain(), RuleAt(before)), Accepts::kFins);
    return planned.LetPass(TheTable(), TheChain(), RuleAt(rule), PacketOf(PacketKind::kFin, PacketTracking::kNoEntry));
  }

  Ruleset ruleset_;
};

TEST_F(PlannedAcceptsTest, ClosingIsFinAndRstWithoutAnEntry) {
  EXPECT_TRUE(Passes(Accepts::kClosing, PacketKind::kFin, PacketTracking::kNoEntry));
  EXPECT_TRUE(Passes(Accepts::kClosing, PacketKind::kRst, PacketTracking::kNoEntry));
  EXPECT_FALSE(Passes(Accepts::kClosing, PacketKind::kAck, PacketTracking::kNoEntry));
  EXPECT_FALSE(Passes(Accepts::kClosing, PacketKind::kFin, PacketTracking::kEstablished));
  EXPECT_FALSE(Passes(Accepts::kClosing, PacketKind::kFin, PacketTracking::kNew));
}

TEST_F(PlannedAcceptsTest, InvalidIsEverythingWithoutAnEntry) {
  EXPECT_TRUE(Passes(Accepts::kInvalid, PacketKind::kAck, PacketTracking::kNoEntry));
  EXPECT_TRUE(Passes(Accepts::kInvalid, PacketKind::kSyn, PacketTracking::kNoEntry));
  EXPECT_FALSE(Passes(Accepts::kInvalid, PacketKind::kAck, PacketTracking::kNew));
  EXPECT_FALSE(Passes(Accepts::kInvalid, PacketKind::kAck, PacketTracking::kUntracked));
}

TEST_F(PlannedAcceptsTest, RepliesAreWhatIsNoSynAndHasNoOldEntry) {
  for (const PacketKind kind : {PacketKind::kFin, PacketKind::kRst, PacketKind::kData, PacketKind::kAck}) {
    EXPECT_TRUE(Passes(Accepts::kReplies, kind, PacketTracking::kNoEntry));
    EXPECT_TRUE(Passes(Accepts::kReplies, kind, PacketTracking::kNew));
    EXPECT_FALSE(Passes(Accepts::kReplies, kind, PacketTracking::kEstablished));
  }
  EXPECT_FALSE(Passes(Accepts::kReplies, PacketKind::kSyn, PacketTracking::kNew));
}

TEST_F(PlannedAcceptsTest, FinsPassInAnyState) {
  for (const PacketTracking tracking :
       {PacketTracking::kNoEntry, PacketTracking::kNew, PacketTracking::kEstablished, PacketTracking::kUntracked}) {
    EXPECT_TRUE(Passes(Accepts::kFins, PacketKind::kPeerFin, tracking));
    EXPECT_FALSE(Passes(Accepts::kFins, PacketKind::kRst, tracking));
    EXPECT_FALSE(Passes(Accepts::kFins, PacketKind::kData, tracking));
  }
}

TEST_F(PlannedAcceptsTest, NftPutsItRightBeforeTheRule) {
  EXPECT_FALSE(PassesAt(1, 2)) << "this one drops before it is reached";
  EXPECT_TRUE(PassesAt(2, 2));
  EXPECT_TRUE(PassesAt(3, 2));
  EXPECT_TRUE(PassesAt(0, 2)) << "the policy comes last";
  EXPECT_FALSE(PassesAt(3, 0)) << "for a policy it stands at the chain's end";
  EXPECT_TRUE(PassesAt(0, 0));
}

TEST_F(PlannedAcceptsTest, ItIsOfOneChainOfOneTable) {
  const Chain& chain = TheChain();
  const RuleId id = IdOf(TheTable(), chain, RuleAt(1));
  const Packet fin = PacketOf(PacketKind::kFin, PacketTracking::kNoEntry);
  const auto passes = [&](const RuleId& before) {
    PlannedAccepts planned;
    planned.Add(before, Accepts::kFins);
    return planned.LetPass(TheTable(), chain, RuleAt(1), fin);
  };
  EXPECT_TRUE(passes(id));
  RuleId other = id;
  other.chain = "out";
  EXPECT_FALSE(passes(other));
  other = id;
  other.table = "u";
  EXPECT_FALSE(passes(other));
  other = id;
  other.family = TableFamily::kIpv4;
  EXPECT_FALSE(passes(other));
  other = id;
  other.backend = Backend::kLegacy;
  EXPECT_FALSE(passes(other));
  EXPECT_FALSE(PlannedAccepts().LetPass(TheTable(), chain, RuleAt(1), fin)) << "nothing is planned";
}

class PlannedAcceptsOfIptablesTest : public PlannedAcceptsTest {
 protected:
  PlannedAcceptsOfIptablesTest() : PlannedAcceptsTest(Dialect::kIptables) {}
};

TEST_F(PlannedAcceptsOfIptablesTest, IptablesPutsItAtTheTopOfTheChain) {
  for (const std::size_t rule : {1U, 2U, 3U, 0U}) {
    EXPECT_TRUE(PassesAt(rule, 3)) << rule;
  }
}

// By the evaluator that drops.
TEST_F(PlannedAcceptsTest, WithThePlanAChainGoesOnBehindTheRuleThatDropped) {
  ChainEvaluator evaluator(ruleset_);
  HookContext context;
  context.hook = Hook::kInput;
  PlannedAccepts planned;
  planned.Add(IdOf(TheTable(), TheChain(), RuleAt(1)), Accepts::kFins);
  const auto ends_with = [&](PacketKind kind, ChainResult::Kind end) {
    const auto results =
        evaluator.RunBaseChain(TheTable(), TheChain(), context, PacketOf(kind, PacketTracking::kNoEntry));
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].kind, end);
  };
  ends_with(PacketKind::kPeerFin, ChainResult::Kind::kDrop);
  evaluator.Plan(&planned);
  ends_with(PacketKind::kPeerFin, ChainResult::Kind::kAccept);
  ends_with(PacketKind::kAck, ChainResult::Kind::kDrop);
}

}  // namespace
}  // namespace finwait::firewall::eval
