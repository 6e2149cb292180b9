#include "collectors/firewall/eval/nat_effect.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

// What nat chains did to a connection when it was opened.
namespace finwait::firewall::eval {
namespace {

using Steps = std::vector<Expression>;

// "dnat to ADDRESS:PORT", port 0 for none.
Steps TranslatesTo(std::initializer_list<unsigned> address, unsigned port = 0) {
  firewall::Nat nat;
  nat.type = NFT_NAT_DNAT;
  nat.family = NFPROTO_IPV4;
  nat.address_min = Register{0};
  Steps steps = {Immediate{Register{0}, ValueOf(address)}};
  if (port != 0) {
    steps.emplace_back(Immediate{Register{16}, ValueOf({port >> 8U, port & 0xffU})});
    nat.port_min = Register{16};
  }
  steps.emplace_back(nat);
  return steps;
}
// "ip daddr ADDRESS" before `rest`.
Steps IfTo(std::initializer_list<unsigned> address, const Steps& rest) {
  Steps steps = {PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Register{32}},
                 Compare{NFT_CMP_EQ, Register{32}, ValueOf(address)}};
  steps.insert(steps.end(), rest.begin(), rest.end());
  return steps;
}

class NatEffectTest : public testing::Test {
 protected:
  NatEffectTest() {
    connection_.local = Endpoint::Parse("192.0.2.1:40000");
    connection_.peer = Endpoint::Parse("198.51.100.1:443");
    connection_.egress = Interface{"eth0", 2, 1, 0, ""};
    connection_.masquerade = IpAddress::Parse("203.0.113.1");
    settings_.early_demultiplexing = Tristate::kYes;
    settings_.routes_by_mark = Tristate::kNo;
    settings_.routes_by_ports = Tristate::kNo;
  }
  static HandMadeTable Table() { return HandMadeTable(Backend::kNft, TableFamily::kIpv4); }
  NatEffect Effect(const HandMadeTable& table, OpenedBy by) const { return Effect(table.AsRuleset(), by); }
  NatEffect Effect(const Ruleset& ruleset, OpenedBy by) const {
    ChainEvaluator evaluator(ruleset);
    return EvaluateNat(evaluator, connection_, by, settings_);
  }
  bool LeavesAlone(const HandMadeTable& table) const { return LeavesAlone(table.AsRuleset()); }
  bool LeavesAlone(const Ruleset& ruleset) const {
    ChainEvaluator evaluator(ruleset);
    return LeavesArrivalsAlone(evaluator, connection_.local->address, settings_);
  }
  static void Expect(const NatEffect& effect, Tristate source, Tristate destination, const std::string& reason = {}) {
    EXPECT_EQ(effect.source, source);
    EXPECT_EQ(effect.destination, destination);
    EXPECT_EQ(effect.reason, reason);
  }

  Connection connection_;
  PacketPathSettings settings_;
};

TEST_F(NatEffectTest, WithoutNatChainsNothingIsTranslated) {
  for (const OpenedBy by : {OpenedBy::kLocal, OpenedBy::kPeer, OpenedBy::kUnknown}) {
    Expect(Effect(Table().Base("in", Hook::kInput, {{Drops()}}), by), Tristate::kNo, Tristate::kNo);
  }
  EXPECT_TRUE(LeavesAlone(Table()));
}

TEST_F(NatEffectTest, NatChainsOfAnotherFamilyOrOfADormantTableDoNotRun) {
  Ruleset ruleset = Table().Nat("post", Hook::kPostrouting, {{Masquerade{}}}).AsRuleset();
  ruleset.tables[0].dormant = true;
  Expect(Effect(ruleset, OpenedBy::kLocal), Tristate::kNo, Tristate::kNo);
  ruleset.tables[0].dormant = false;
  ruleset.tables[0].family = TableFamily::kIpv6;
  Expect(Effect(ruleset, OpenedBy::kLocal), Tristate::kNo, Tristate::kNo);
}

TEST_F(NatEffectTest, MasqueradeTranslatesTheSourceOfWhatThisHostOpens) {
  const HandMadeTable table = Table().Nat("post", Hook::kPostrouting, {{Masquerade{}}});
  Expect(Effect(table, OpenedBy::kLocal), Tristate::kYes, Tristate::kNo);
  EXPECT_EQ(Effect(table, OpenedBy::kLocal).Any(), Tristate::kYes);
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kNo, Tristate::kNo);
  Expect(Effect(table, OpenedBy::kUnknown), Tristate::kUnknown, Tristate::kNo, "which end opened the connection");
  EXPECT_TRUE(LeavesAlone(table));
}

TEST_F(NatEffectTest, WhatMasqueradeDoesToOnePeerItDoesNotDoToOthers) {
  const HandMadeTable table = Table().Nat("post", Hook::kPostrouting, {IfTo({198, 51, 100, 9}, {Masquerade{}})});
  Expect(Effect(table, OpenedBy::kLocal), Tristate::kNo, Tristate::kNo);
  connection_.peer = Endpoint::Parse("198.51.100.9:443");
  Expect(Effect(table, OpenedBy::kLocal), Tristate::kYes, Tristate::kNo);
}

TEST_F(NatEffectTest, WhatIsDroppedNowWasLetThroughThen) {
  const HandMadeTable table =
      Table().Nat("post", Hook::kPostrouting, {{Masquerade{}}}).Base("out", Hook::kOutput, {{Drops()}});
  Expect(Effect(table, OpenedBy::kLocal), Tristate::kYes, Tristate::kNo);
}

TEST_F(NatEffectTest, WhereEverythingIsSentHereNobodyKnowsWhatWasMeantForHere) {
  const HandMadeTable table = Table().Nat("pre", Hook::kPrerouting, {TranslatesTo({192, 0, 2, 1}, 40000)});
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kNo, Tristate::kUnknown,
         "to which address or port a nat rule translated it");
  EXPECT_FALSE(LeavesAlone(table));
}

TEST_F(NatEffectTest, WhatCameHereAlthoughItsPortGoesElsewhereWasTranslated) {
  const HandMadeTable table = Table().Nat(
      "pre", Hook::kPrerouting, {IfTo({192, 0, 2, 1}, TranslatesTo({203, 0, 113, 10})), TranslatesTo({192, 0, 2, 1})});
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kNo, Tristate::kYes);
  EXPECT_FALSE(LeavesAlone(table));
}

TEST_F(NatEffectTest, WhereThePeerMayHaveSentItElsewhereNobodyKnows) {
  const HandMadeTable table =
      Table().Nat("pre", Hook::kPrerouting, {IfTo({203, 0, 113, 9}, TranslatesTo({192, 0, 2, 1}))});
  const NatEffect effect = Effect(table, OpenedBy::kPeer);
  EXPECT_EQ(effect.source, Tristate::kNo);
  EXPECT_EQ(effect.destination, Tristate::kUnknown);
  EXPECT_FALSE(effect.reason.empty());
  EXPECT_FALSE(LeavesAlone(table));
}

TEST_F(NatEffectTest, RulesThatLeadToOtherServicesDoNotCount) {
  const HandMadeTable table =
      Table().Nat("pre", Hook::kPrerouting, {IfTo({203, 0, 113, 9}, TranslatesTo({203, 0, 113, 10}))});
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kNo, Tristate::kNo);
  EXPECT_TRUE(LeavesAlone(table));
}

TEST_F(NatEffectTest, RulesThatLeadAwayFromHereSayThatTheyHaveChanged) {
  const HandMadeTable table = Table().Nat("pre", Hook::kPrerouting, {TranslatesTo({203, 0, 113, 10})});
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kUnknown, Tristate::kUnknown,
         "the nat rules as they are now would not have led to this connection");
  EXPECT_FALSE(LeavesAlone(table));
}

TEST_F(NatEffectTest, ADestinationOfOutgoingConnectionsIsTranslatedAtTheOutputHook) {
  const HandMadeTable table = Table().Nat("out", Hook::kOutput, {TranslatesTo({203, 0, 113, 10}, 443)});
  Expect(Effect(table, OpenedBy::kLocal), Tristate::kNo, Tristate::kYes);
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kNo, Tristate::kNo);
  const HandMadeTable to_itself = Table().Nat("out", Hook::kOutput, {TranslatesTo({198, 51, 100, 1}, 443)});
  Expect(Effect(to_itself, OpenedBy::kLocal), Tristate::kNo, Tristate::kNo);
}

TEST_F(NatEffectTest, OverLoopbackWhatThePeerWroteIsKnown) {
  connection_.path_kind = PathKind::kLoopback;
  const HandMadeTable table =
      Table().Nat("pre", Hook::kPrerouting, {IfTo({203, 0, 113, 9}, TranslatesTo({192, 0, 2, 1}))});
  Expect(Effect(table, OpenedBy::kPeer), Tristate::kNo, Tristate::kNo);
}

TEST_F(NatEffectTest, AChainOfServicesIsFollowedAndAnUnreadOneIsNotGuessedAt) {
  const HandMadeTable services =
      Table()
          .Nat("pre", Hook::kPrerouting, {IfTo({203, 0, 113, 9}, {JumpsTo("service")}), {GoesTo("other")}})
          .Chain("service", {TranslatesTo({192, 0, 2, 1})})
          .Chain("other", {IfTo({203, 0, 113, 8}, TranslatesTo({203, 0, 113, 10}))});
  EXPECT_FALSE(LeavesAlone(services)) << "one leads here";
  const HandMadeTable elsewhere = Table()
                                      .Nat("pre", Hook::kPrerouting, {IfTo({203, 0, 113, 9}, {JumpsTo("service")})})
                                      .Chain("service", {TranslatesTo({203, 0, 113, 10})});
  EXPECT_TRUE(LeavesAlone(elsewhere));
  const HandMadeTable unread = Table().Nat("pre", Hook::kPrerouting, {IfTo({203, 0, 113, 9}, {JumpsTo("service")})});
  EXPECT_FALSE(LeavesAlone(unread));
  EXPECT_EQ(Effect(unread, OpenedBy::kPeer).destination, Tristate::kUnknown);
}

TEST_F(NatEffectTest, ASynProxyTranslatesSequenceNumbers) {
  for (const Expression& proxy : {Expression(Synproxy{1460, 7, 0}), Expression(XtTarget{"SYNPROXY", 0, {}}),
                                  Expression(ObjectReference{NFT_OBJECT_SYNPROXY, "p"})}) {
    const HandMadeTable table = Table().Base("in", Hook::kInput, {{proxy}});
    Expect(Effect(table, OpenedBy::kLocal), Tristate::kNo, Tristate::kNo);
    EXPECT_NE(Effect(table, OpenedBy::kPeer).Any(), Tristate::kNo) << proxy.index();
    EXPECT_FALSE(LeavesAlone(table)) << proxy.index();
  }
}

TEST_F(NatEffectTest, EitherOpenerIsWhatBothLeadTo) {
  const NatEffect yes{Tristate::kYes, Tristate::kNo, {}};
  const NatEffect no{Tristate::kNo, Tristate::kNo, {}};
  const NatEffect open{Tristate::kUnknown, Tristate::kNo, "a rate limit"};
  Expect(EitherOpener(yes, yes), Tristate::kYes, Tristate::kNo);
  Expect(EitherOpener(yes, no), Tristate::kUnknown, Tristate::kNo, "which end opened the connection");
  Expect(EitherOpener(open, no), Tristate::kUnknown, Tristate::kNo, "a rate limit");
  Expect(EitherOpener(no, open), Tristate::kUnknown, Tristate::kNo, "a rate limit");
}

}  // namespace
}  // namespace finwait::firewall::eval
