#include "collectors/firewall/eval/state_drop.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_conntrack.h>

#include <cstring>

#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"

// Which rules drop what conntrack calls INVALID, and which of their counters count just that.
namespace finwait::firewall::eval {
namespace {

using Rules = std::vector<std::vector<Expression>>;

Value HostOrder(std::uint32_t number) {
  Value value(sizeof number);
  std::memcpy(value.data(), &number, sizeof number);
  return value;
}

// "ct state invalid", and whatever follows.
std::vector<Expression> IfState(std::uint32_t states, std::vector<Expression> rest) {
  Bitwise masked;
  masked.source = masked.destination = Register{0};
  masked.length = 4;
  masked.mask = HostOrder(states);
  masked.xor_value = HostOrder(0);
  std::vector<Expression> rule = {CtLoad{NFT_CT_STATE, std::nullopt, Register{0}}, masked,
                                  Compare{NFT_CMP_NEQ, Register{0}, HostOrder(0)}};
  rule.insert(rule.end(), rest.begin(), rest.end());
  return rule;
}
constexpr std::uint32_t kInvalid = NF_CT_STATE_INVALID_BIT;
constexpr std::uint32_t kEstablished = NF_CT_STATE_BIT(IP_CT_ESTABLISHED);

// "tcp dport 80".
std::vector<Expression> IfPort(std::vector<Expression> rest) {
  std::vector<Expression> rule = {PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}},
                                  Compare{NFT_CMP_EQ, Register{0}, ValueOf({0, 80})}};
  rule.insert(rule.end(), rest.begin(), rest.end());
  return rule;
}

class StateDropTest : public testing::Test {
 protected:
  void Given(Rules rules, const HandMadeTable& others = HandMadeTable()) {
    HandMadeTable table = others;
    ruleset_ = table.Base("in", Hook::kInput, std::move(rules)).AsRuleset();
  }
  const Table& TheTable() const { return ruleset_.tables.at(0); }
  const Rule& FirstRule() const { return FindChain(TheTable(), "in")->rules.at(0); }
  StateDrop Find(Hook hook = Hook::kInput, IpFamily family = IpFamily::kIpv4) const {
    ChainEvaluator evaluator(ruleset_);
    return FindStateDrop(evaluator, TheTable(), *FindChain(TheTable(), "in"), FirstRule(), hook, family);
  }
  void ExpectDrops(bool drops, bool always) const {
    for (const IpFamily family : kIpFamilies) {
      for (const Hook hook : kHooks) {
        const StateDrop found = Find(hook, family);
        EXPECT_EQ(found.drops, drops) << Name(hook);
        EXPECT_EQ(found.always, always) << Name(hook);
      }
    }
  }
  std::optional<Counter> FindCounter() const {
    ChainEvaluator evaluator(ruleset_);
    return FindDropCounter(evaluator, TheTable(), FirstRule(), CountUses(TheTable()));
  }

  Ruleset ruleset_;
};

TEST_F(StateDropTest, ARuleThatDropsInvalidDropsAllOfIt) {
  Given({IfState(kInvalid, {Drops()})});
  ExpectDrops(true, true);
  Given({IfState(kInvalid, {Reject{NFT_REJECT_TCP_RST, 0}})});
  ExpectDrops(true, true);
}

TEST_F(StateDropTest, WithAnotherConditionItDropsSomeOfIt) {
  Given({IfState(kInvalid, IfPort({Drops()}))});
  ExpectDrops(true, false);
}

TEST_F(StateDropTest, WhatDropsEstablishedTooIsNoDropByState) {
  Given({{Drops()}});
  EXPECT_FALSE(Find().drops);
  Given({IfState(kInvalid | kEstablished, {Drops()})});
  EXPECT_FALSE(Find().drops);
}

TEST_F(StateDropTest, WhatLetsInvalidPassDropsNothing) {
  Given({IfState(kInvalid, {Says(Verdict::Kind::kAccept)})});
  ExpectDrops(false, false);
  Given({IfState(kEstablished, {Drops()})});
  EXPECT_FALSE(Find().drops);
  Given({{Counter{1, 10}}});
  EXPECT_FALSE(Find().drops);
}

TEST_F(StateDropTest, AChainThatItJumpsToIsRun) {
  Given({IfState(kInvalid, {JumpsTo("drop")})}, HandMadeTable().Chain("drop", {{Drops()}}));
  ExpectDrops(true, true);
  Given({IfState(kInvalid, {GoesTo("some")})}, HandMadeTable().Chain("some", {IfPort({Drops()})}));
  ExpectDrops(true, false);
  Given({IfState(kInvalid, {JumpsTo("log")})}, HandMadeTable().Chain("log", {{Log{}}}));
  EXPECT_FALSE(Find().drops);
  Given({IfState(kInvalid, {JumpsTo("beyond_the_bounds")})});
  ExpectDrops(true, true);
}

TEST_F(StateDropTest, WhichRulesAskForTheState) {
  const auto asks = [](std::vector<Expression> expressions) {
    Rule rule;
    rule.expressions = std::move(expressions);
    return TestsConntrackState(rule);
  };
  EXPECT_TRUE(asks(IfState(kInvalid, {Drops()})));
  EXPECT_FALSE(asks({CtLoad{NFT_CT_MARK, std::nullopt, Register{0}}, Drops()}));
  EXPECT_FALSE(asks(IfPort({Drops()})));
  xt_conntrack_mtinfo3 info = {};
  info.match_flags = XT_CONNTRACK_STATE;
  info.state_mask = XT_CONNTRACK_STATE_INVALID;
  EXPECT_TRUE(asks({XtMatch{"conntrack", 3, xt::InfoOf(info)}, Drops()}));
  info.match_flags = XT_CONNTRACK_PROTO;
  EXPECT_FALSE(asks({XtMatch{"conntrack", 3, xt::InfoOf(info)}, Drops()}));
}

TEST_F(StateDropTest, ACounterBehindTheConditionsCountsTheDrops) {
  Given({IfState(kInvalid, {Counter{3, 300}, Drops()})});
  EXPECT_EQ(FindCounter(), (Counter{3, 300}));
  Given({IfState(kInvalid, {Counter{3, 300}, JumpsTo("drop")})}, HandMadeTable().Chain("drop", {{Drops()}}));
  EXPECT_EQ(FindCounter(), (Counter{3, 300}));
}

TEST_F(StateDropTest, OfSeveralTheLastOneCounts) {
  std::vector<Expression> rule = {Counter{9, 900}};
  for (const Expression& step : IfState(kInvalid, {Counter{3, 300}, Counter{2, 200}, Drops()})) {
    rule.push_back(step);
  }
  Given({rule});
  EXPECT_EQ(FindCounter(), (Counter{2, 200}));
}

TEST_F(StateDropTest, ACounterThatCountsOthersTooTellsNothing) {
  std::vector<Expression> before = {Counter{9, 900}};
  for (const Expression& step : IfState(kInvalid, {Drops()})) {
    before.push_back(step);
  }
  Given({before});
  EXPECT_EQ(FindCounter(), std::nullopt);
  Given({IfState(kInvalid, {Counter{3, 300}, JumpsTo("some")})}, HandMadeTable().Chain("some", {IfPort({Drops()})}));
  EXPECT_EQ(FindCounter(), std::nullopt) << "some of them come back";
  Given({IfState(kInvalid, {Counter{3, 300}})});
  EXPECT_EQ(FindCounter(), std::nullopt) << "nothing is dropped";
}

TEST_F(StateDropTest, ANamedCounterTellsWhereItIsUsedOnce) {
  const std::vector<Expression> drops = IfState(kInvalid, {ObjectReference{NFT_OBJECT_COUNTER, "c"}, Drops()});
  Given({drops});
  EXPECT_EQ(FindCounter(), std::nullopt) << "it is not among the table's";
  Object quota{NFT_OBJECT_QUOTA, "c", Counter{7, 700}};
  ruleset_.tables[0].objects = {quota, Object{NFT_OBJECT_COUNTER, "c", Counter{4, 400}}};
  EXPECT_EQ(FindCounter(), (Counter{4, 400}));
  EXPECT_EQ(CountUses(TheTable()), (CounterUses{{"c", 1}}));
  Given({drops, {ObjectReference{NFT_OBJECT_COUNTER, "c"}}, {ObjectReference{NFT_OBJECT_QUOTA, "q"}}});
  ruleset_.tables[0].objects = {Object{NFT_OBJECT_COUNTER, "c", Counter{4, 400}}};
  EXPECT_EQ(CountUses(TheTable()), (CounterUses{{"c", 2}}));
  EXPECT_EQ(FindCounter(), std::nullopt) << "another rule counts with it";
}

// "ct state vmap { invalid counter : drop, ... }"
std::vector<Expression> ByStateMap() {
  return {CtLoad{NFT_CT_STATE, std::nullopt, Register{0}}, Lookup{"by_state", Register{0}, std::nullopt, true, false}};
}
SetElement ElementOf(std::uint32_t state, Verdict::Kind verdict, std::optional<Counter> counter) {
  SetElement element;
  element.key = HostOrder(state);
  element.data = Verdict{verdict, {}};
  element.counter = counter;
  return element;
}
HandMadeTable WithMap(std::vector<SetElement> elements) {
  Set set;
  set.name = "by_state";
  set.key_length = 4;
  set.map = set.verdict_map = true;
  set.element_count = elements.size();
  set.elements = std::move(elements);
  return HandMadeTable().Holds(std::move(set));
}

TEST_F(StateDropTest, TheElementOfAVerdictMapCountsItsDrops) {
  Given({ByStateMap()}, WithMap({ElementOf(kInvalid, Verdict::Kind::kDrop, Counter{5, 500}),
                                 ElementOf(kEstablished, Verdict::Kind::kAccept, Counter{90, 9000})}));
  EXPECT_TRUE(Find().drops);
  EXPECT_EQ(FindCounter(), (Counter{5, 500}));
  Given({ByStateMap()}, WithMap({ElementOf(kInvalid, Verdict::Kind::kDrop, std::nullopt)}));
  EXPECT_TRUE(Find().drops);
  EXPECT_EQ(FindCounter(), std::nullopt);
}

}  // namespace
}  // namespace finwait::firewall::eval
