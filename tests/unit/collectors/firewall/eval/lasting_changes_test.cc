// What one packet of a connection changes in sets and lists, the next one finds so.
#include <gtest/gtest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_recent.h>
#include <netinet/tcp.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/fact_query.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"
#include "tests/unit/collectors/firewall/xt/info.h"

namespace finwait::firewall::eval {
namespace {

using facts::Fact;
using Rules = std::vector<std::vector<Expression>>;

constexpr unsigned kNew = NF_CT_STATE_BIT(IP_CT_NEW);
constexpr PayloadLoad kFrom{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, Register{0}};
constexpr PayloadLoad kTo{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Register{0}};

Set DynamicSetOf(const std::string& name) {
  Set set;
  set.name = name;
  set.key_length = 4;
  set.dynamic = true;
  return set;
}

const DynamicSet kAdd{"s", NFT_DYNSET_OP_ADD, Register{0}, std::nullopt, false, 0, {}, {}};
const Lookup kIsThere{"s", Register{0}, std::nullopt, false, false};
const VerdictStatement kAccept = Says(Verdict::Kind::kAccept);

std::vector<Expression> IfNew(std::vector<Expression> rest) {
  std::vector<Expression> rule = {
      CtLoad{NFT_CT_STATE, std::nullopt, Register{0}},
      Bitwise{0, Register{0}, Register{0}, {}, 4, 0, ValueOf({kNew, 0, 0, 0}), ValueOf({0, 0, 0, 0})},
      Compare{NFT_CMP_NEQ, Register{0}, ValueOf({0, 0, 0, 0})}};
  rule.insert(rule.end(), rest.begin(), rest.end());
  return rule;
}

std::vector<Expression> IfFin(std::vector<Expression> rest) {
  std::vector<Expression> rule = {PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}},
                                  Bitwise{0, Register{0}, Register{0}, {}, 1, 0, ValueOf({1}), ValueOf({0})},
                                  Compare{NFT_CMP_EQ, Register{0}, ValueOf({1})}};
  rule.insert(rule.end(), rest.begin(), rest.end());
  return rule;
}

XtMatch Recent(std::uint8_t check_set, std::uint8_t side, bool inverted = false, unsigned bytes_of_mask = 16) {
  xt_recent_mtinfo_v1 info = {};
  info.check_set = check_set;
  info.side = side;
  info.invert = inverted ? 1 : 0;
  std::strncpy(info.name, "l", sizeof info.name - 1);
  std::memset(&info.mask, 0xff, bytes_of_mask);
  return {"recent", 1, xt::InfoOf(info)};
}

class LastingChangesTest : public testing::Test {
 protected:
  LastingChangesTest() {
    connection_.local = Endpoint::Parse("192.0.2.1:40000");
    connection_.peer = Endpoint::Parse("192.0.2.2:80");
    connection_.egress = Interface{"eth0", 2, 1, 0, ""};
    store_.Put(facts::RecentKey{"l"}, Fact::Present(std::make_shared<const facts::RecentList>()));
    const facts::SetKey set{TableFamily::kInet, "t", "s"};
    store_.Put(facts::ElementKey{set, ValueOf({192, 0, 2, 2}), nullptr}, Fact::Absent());
    store_.Put(facts::SetRoomKey{set}, Fact::Present(true));
  }

  template <typename Question>
  auto Ask(const HandMadeTable& table, Question question) {
    const Ruleset ruleset = table.AsRuleset();
    facts::FactQuery query(store_);
    ChainEvaluator evaluator(ruleset, &query);
    PacketPathSettings settings;
    settings.tcp_loose = true;
    return question(evaluator, settings);
  }
  Disposition Evaluate(const HandMadeTable& table, PacketKind kind) {
    return Ask(table, [&](ChainEvaluator& evaluator, const PacketPathSettings& settings) {
      return EvaluatePacket(evaluator, connection_, kind, settings).disposition;
    });
  }
  std::optional<TraversalResult> LaterFin(const HandMadeTable& table) {
    return Ask(table, [&](ChainEvaluator& evaluator, const PacketPathSettings& settings) {
      return EvaluatePeersLaterFin(evaluator, connection_, settings);
    });
  }
  Disposition LastAck(const HandMadeTable& table) {
    return Ask(table, [&](ChainEvaluator& evaluator, const PacketPathSettings& settings) {
      return EvaluateLastAck(evaluator, connection_, settings).disposition;
    });
  }
  // What becomes of the FIN under these matches, one a rule; what the last matches is dropped.
  Disposition FinUnder(const std::vector<XtMatch>& matches) {
    Rules rules;
    for (const XtMatch& match : matches) {
      rules.push_back({match});
    }
    rules.back().push_back(Drops());
    return Evaluate(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4).Base("OUTPUT", Hook::kOutput, rules),
                    PacketKind::kFin);
  }

  Connection connection_;
  facts::FactStore store_;
};

TEST_F(LastingChangesTest, AnAnswerThatIsDroppedMayLetTheNextOnePass) {
  const HandMadeTable table =
      HandMadeTable()
          .Holds(DynamicSetOf("s"))
          .Base("i", Hook::kInput, {IfNew({kFrom, kIsThere, kAccept}), IfNew({kFrom, kAdd, Drops()})});
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kAccept);
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLocal);
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kAccept) << "any connection's";
}

TEST_F(LastingChangesTest, TheFinsDestinationIsTheAnswersSource) {
  const HandMadeTable table = HandMadeTable()
                                  .Holds(DynamicSetOf("s"))
                                  .Base("o", Hook::kOutput, {{kTo, kAdd}})
                                  .Base("i", Hook::kInput, {IfNew({kFrom, kIsThere, Drops()})});
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kDrop);
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLocal);
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kDrop) << "any connection's";
}

TEST_F(LastingChangesTest, AFullSetTakesNothingIn) {
  store_.Put(facts::SetRoomKey{{TableFamily::kInet, "t", "s"}}, Fact::Present(false));
  Set full = DynamicSetOf("s");
  full.elements.emplace_back();
  full.elements.back().key = ValueOf({198, 51, 100, 77});
  const HandMadeTable table =
      HandMadeTable().Holds(full).Base("o", Hook::kOutput, {{kTo, kAdd}, {kTo, kIsThere, Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kFin), Disposition::kAccept);
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLocal);
  EXPECT_NE(Evaluate(table, PacketKind::kFin), Disposition::kDrop) << "any connection's";
}

TEST_F(LastingChangesTest, OfAnInvertedAddWhatGoesOnIsNotInTheSet) {
  DynamicSet add = kAdd;
  add.inverted = true;
  const auto fin = [&](std::vector<Expression> first) {
    return Evaluate(
        HandMadeTable().Holds(DynamicSetOf("s")).Base("o", Hook::kOutput, {std::move(first), {kTo, kIsThere, Drops()}}),
        PacketKind::kFin);
  };
  EXPECT_EQ(fin({kTo, add}), Disposition::kDrop) << "it misses the rule, and is in the set";
  store_.Put(facts::SetRoomKey{{TableFamily::kInet, "t", "s"}}, Fact::Present(false));
  EXPECT_EQ(fin({kTo, add}), Disposition::kAccept);
}

// A map from addresses to marks, which rules give this one.
class MapChangesTest : public LastingChangesTest {
 protected:
  MapChangesTest() {
    map_ = DynamicSetOf("m");
    map_.map = true;
    map_.data_length = 4;
    store_.Put(facts::SetRoomKey{kMap}, Fact::Present(true));
  }
  void Holds(Fact element) {
    store_.Put(facts::ElementKey{kMap, ValueOf({192, 0, 2, 2}), nullptr}, std::move(element));
  }
  static Fact WithMark(unsigned mark) {
    auto element = std::make_shared<SetElement>();
    element->key = ValueOf({192, 0, 2, 2});
    element->data = ValueOf({mark, 0, 0, 0});
    return Fact::Present(std::shared_ptr<const SetElement>(std::move(element)));
  }
  static std::vector<Expression> Puts(unsigned mark, std::uint32_t operation = NFT_DYNSET_OP_ADD) {
    return {kTo, Immediate{kData, ValueOf({mark, 0, 0, 0})},
            DynamicSet{"m", operation, Register{0}, kData, false, 0, {}, {}}};
  }
  static std::vector<Expression> DropsIf(unsigned mark, PayloadLoad address = kTo) {
    return {address, Lookup{"m", Register{0}, kData, false, false},
            Compare{NFT_CMP_EQ, kData, ValueOf({mark, 0, 0, 0})}, Drops()};
  }
  Disposition Fin(Rules rules) {
    return Evaluate(HandMadeTable().Holds(map_).Base("o", Hook::kOutput, std::move(rules)), PacketKind::kFin);
  }

  static constexpr Register kData{16};
  const facts::SetKey kMap{TableFamily::kInet, "t", "m"};
  Set map_;
};

TEST_F(MapChangesTest, WhatARulePutsIntoAMapTheNextFinds) {
  Holds(Fact::Absent());
  EXPECT_EQ(Fin({Puts(7), DropsIf(7)}), Disposition::kDrop);
  EXPECT_EQ(Fin({Puts(7), DropsIf(8)}), Disposition::kAccept);
  EXPECT_EQ(Fin({DropsIf(7), Puts(7)}), Disposition::kAccept) << "it is put there too late";
}

TEST_F(MapChangesTest, AnElementThatIsThereKeepsWhatItGives) {
  Holds(WithMark(9));
  for (const std::uint32_t operation : {NFT_DYNSET_OP_ADD, NFT_DYNSET_OP_UPDATE}) {
    EXPECT_EQ(Fin({Puts(7, operation), DropsIf(7)}), Disposition::kAccept);
    EXPECT_EQ(Fin({Puts(7, operation), DropsIf(9)}), Disposition::kDrop);
  }
  EXPECT_EQ(Fin({Puts(0, NFT_DYNSET_OP_DELETE), Puts(7), DropsIf(7)}), Disposition::kDrop);
  Holds(Fact::Absent());
  EXPECT_EQ(Fin({Puts(7), Puts(8), DropsIf(7)}), Disposition::kDrop) << "a rule before put it there";
}

TEST_F(MapChangesTest, WhatAnUnreadMapGivesIsUnknown) {
  EXPECT_EQ(Fin({Puts(7), DropsIf(7)}), Disposition::kUnknown);
  EXPECT_EQ(Fin({Puts(7), DropsIf(8)}), Disposition::kUnknown);
}

TEST_F(MapChangesTest, AFullMapTakesNothingIn) {
  store_.Put(facts::SetRoomKey{kMap}, Fact::Present(false));
  Holds(Fact::Absent());
  EXPECT_EQ(Fin({Puts(7), DropsIf(7)}), Disposition::kAccept);
  Holds(WithMark(7));
  EXPECT_EQ(Fin({Puts(8), DropsIf(7)}), Disposition::kDrop) << "it is there already";
}

TEST_F(MapChangesTest, TheAnswerFindsWhatTheFinPutIntoAMap) {
  Holds(Fact::Absent());
  const auto ack = [&](unsigned mark) {
    return Evaluate(
        HandMadeTable().Holds(map_).Base("o", Hook::kOutput, {Puts(7)}).Base("i", Hook::kInput, {DropsIf(mark, kFrom)}),
        PacketKind::kAck);
  };
  EXPECT_EQ(ack(7), Disposition::kDrop);
  EXPECT_EQ(ack(8), Disposition::kAccept);
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLocal);
  EXPECT_EQ(ack(7), Disposition::kDrop) << "any connection's";
  EXPECT_EQ(ack(8), Disposition::kAccept) << "any connection's";
}

TEST_F(LastingChangesTest, AFieldOfTheFinIsNotTheAnswers) {
  const PayloadLoad sequence{NFT_PAYLOAD_TRANSPORT_HEADER, 4, 4, Register{0}};
  const HandMadeTable table = HandMadeTable()
                                  .Holds(DynamicSetOf("s"))
                                  .Base("o", Hook::kOutput, {{sequence, kAdd}})
                                  .Base("i", Hook::kInput, {{sequence, kIsThere, Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kUnknown);
}

TEST_F(LastingChangesTest, ANumberThatIsDrawnAgainIsAnotherOne) {
  const NumberGenerator draw{NFT_NG_RANDOM, 2, 0, Register{0}};
  const HandMadeTable table =
      HandMadeTable().Holds(DynamicSetOf("s")).Base("o", Hook::kOutput, {{draw, kAdd}, {draw, kIsThere, Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kFin), Disposition::kUnknown);
}

TEST_F(LastingChangesTest, WhatElementsCarryDecidesWhetherTheyMatch) {
  const auto fin = [&](const DynamicSet& add, const std::vector<std::string>& of_all) {
    Set set = DynamicSetOf("s");
    set.expressions = of_all;
    const auto with = [&](const Rules& rules) {
      return Evaluate(HandMadeTable().Holds(set).Base("o", Hook::kOutput, rules), PacketKind::kFin);
    };
    const Disposition added = with({{kTo, add, Drops()}});
    EXPECT_EQ(with({{kTo, add}, {kTo, kIsThere, Drops()}}), added);
    return added;
  };
  DynamicSet limited = kAdd;
  limited.expressions = {"limit"};
  EXPECT_EQ(fin(kAdd, {}), Disposition::kDrop);
  EXPECT_EQ(fin(kAdd, {"counter"}), Disposition::kDrop);
  EXPECT_EQ(fin(limited, {}), Disposition::kUnknown);
  EXPECT_EQ(fin(kAdd, {"connlimit"}), Disposition::kUnknown) << "nobody tells how many";
  EXPECT_EQ(fin(kAdd, {"limit"}), Disposition::kUnknown) << "the set says what all of them carry";
}

TEST_F(LastingChangesTest, ACountOfAnElementIsKnownFarFromItsLimit) {
  store_.Put(facts::EntryCountKey{}, Fact::Present(std::uint64_t{3}));
  const auto fin = [&](const ConnectionLimit& limit, Rules rules = {}) {
    DynamicSet add = kAdd;
    add.expressions = {"connlimit"};
    add.connection_limit = limit;
    rules.insert(rules.begin(), {kTo, add});
    if (rules.size() == 1) {
      rules.front().push_back(Drops());
    }
    return Evaluate(HandMadeTable().Holds(DynamicSetOf("s")).Base("o", Hook::kOutput, rules), PacketKind::kFin);
  };
  const ConnectionLimit far_above{5000, true};
  const ConnectionLimit far_below{5000, false};
  EXPECT_EQ(fin(far_above), Disposition::kAccept);
  EXPECT_EQ(fin(far_below), Disposition::kDrop);
  EXPECT_EQ(fin({5, true}), Disposition::kUnknown);
  const std::vector<Expression> drops_found = {kTo, kIsThere, Drops()};
  EXPECT_EQ(fin(far_above, {drops_found}), Disposition::kAccept) << "a lookup asks for the count, too";
  EXPECT_EQ(fin(far_below, {drops_found}), Disposition::kDrop);

  const auto holds = [&](std::vector<std::string> expressions, const ConnectionLimit& limit) {
    auto element = std::make_shared<SetElement>();
    element->key = ValueOf({192, 0, 2, 2});
    element->expressions = std::move(expressions);
    element->connection_limit = limit;
    store_.Put(facts::ElementKey{{TableFamily::kInet, "t", "s"}, element->key, nullptr},
               Fact::Present(std::shared_ptr<const SetElement>(element)));
  };
  holds({"connlimit"}, {5, true});
  EXPECT_EQ(fin(far_above), Disposition::kUnknown) << "the element has another limit than the rule";
  holds({"connlimit"}, far_below);
  EXPECT_EQ(fin({5, true}), Disposition::kDrop);
  holds({"connlimit", "limit"}, far_below);
  EXPECT_EQ(fin(far_below), Disposition::kUnknown);
  holds({}, {});
  EXPECT_EQ(fin(far_above), Disposition::kDrop) << "it was put in without a count";
}

TEST_F(LastingChangesTest, ThePeersFinBehindItsAckIsOfTheEntryThatMade) {
  const auto dropped = LaterFin(HandMadeTable().Base("i", Hook::kInput, {IfFin(IfNew({Drops()}))}));
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->disposition, Disposition::kDrop);
  EXPECT_EQ(dropped->state, PacketTracking::kNew);
  EXPECT_FALSE(LaterFin(HandMadeTable().Base("i", Hook::kInput, {IfNew({Drops()})}))) << "there is no such entry";
}

TEST_F(LastingChangesTest, ThePeersFinFindsWhatOursHasChanged) {
  const auto later = LaterFin(HandMadeTable()
                                  .Holds(DynamicSetOf("s"))
                                  .Base("o", Hook::kOutput, {{kTo, kAdd}})
                                  .Base("i", Hook::kInput, {IfFin({kFrom, kIsThere, Drops()})}));
  ASSERT_TRUE(later);
  EXPECT_EQ(later->disposition, Disposition::kDrop);
}

TEST_F(LastingChangesTest, TheLastAckFindsWhatThePeersFinHasChanged) {
  const HandMadeTable table = HandMadeTable()
                                  .Holds(DynamicSetOf("s"))
                                  .Base("i", Hook::kInput, {IfFin({kFrom, kAdd})})
                                  .Base("o", Hook::kOutput, {IfNew({kTo, kIsThere, Drops()})});
  EXPECT_EQ(LastAck(table), Disposition::kDrop);
}

TEST_F(LastingChangesTest, AFinWithoutItsFlagClosesNothing) {
  const std::vector<Expression> rule = {Immediate{Register{0}, ValueOf({TH_ACK})},
                                        PayloadWrite{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, Register{0}}};
  EXPECT_EQ(Evaluate(HandMadeTable().Base("o", Hook::kOutput, {rule}), PacketKind::kFin), Disposition::kDrop);
}

TEST_F(LastingChangesTest, AListNotesAddressesAndNotPackets) {
  const XtMatch set = Recent(XT_RECENT_SET, XT_RECENT_DEST);
  EXPECT_EQ(FinUnder({set, Recent(XT_RECENT_CHECK, XT_RECENT_DEST)}), Disposition::kDrop);
  EXPECT_EQ(FinUnder({set, Recent(XT_RECENT_CHECK, XT_RECENT_SOURCE)}), Disposition::kAccept);
}

TEST_F(LastingChangesTest, WhatAnInvertedMatchOfAListNotes) {
  const XtMatch check = Recent(XT_RECENT_CHECK, XT_RECENT_DEST);
  EXPECT_EQ(FinUnder({Recent(XT_RECENT_SET, XT_RECENT_DEST, true), check}), Disposition::kDrop)
      << "--set notes whether it matches or not";
  const XtMatch update = Recent(XT_RECENT_UPDATE, XT_RECENT_DEST, true);
  EXPECT_EQ(FinUnder({update, check}), Disposition::kAccept) << "nothing notes an address that is not there";
  EXPECT_EQ(FinUnder({Recent(XT_RECENT_SET, XT_RECENT_DEST), update, check}), Disposition::kDrop)
      << "an update that does not match, inverted";
}

TEST_F(LastingChangesTest, AListHasOneMaskWhicheverRuleHasMadeIt) {
  const XtMatch set = Recent(XT_RECENT_SET, XT_RECENT_DEST, false, 3);
  EXPECT_EQ(FinUnder({set, Recent(XT_RECENT_CHECK, XT_RECENT_SOURCE, false, 3)}), Disposition::kDrop)
      << "192.0.2.1 is of the network that was noted";
  EXPECT_EQ(FinUnder({set, Recent(XT_RECENT_CHECK, XT_RECENT_DEST)}), Disposition::kUnknown);
}

TEST_F(LastingChangesTest, WhatTheFinHasNotedItsAnswerMeets) {
  const HandMadeTable table = HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                                  .Base("OUTPUT", Hook::kOutput, {{Recent(XT_RECENT_SET, XT_RECENT_DEST)}})
                                  .Base("INPUT", Hook::kInput, {{Recent(XT_RECENT_CHECK, XT_RECENT_SOURCE), Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kAck), Disposition::kDrop);
}

TEST_F(LastingChangesTest, ALaterTryOfTheFinFindsItNoted) {
  const HandMadeTable table =
      HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
          .Base("OUTPUT", Hook::kOutput,
                {{Recent(XT_RECENT_CHECK, XT_RECENT_DEST), kAccept}, {Recent(XT_RECENT_SET, XT_RECENT_DEST), Drops()}});
  EXPECT_EQ(Evaluate(table, PacketKind::kFin), Disposition::kAccept);
}

// Let out it makes an entry, in which the FIN that it did not answer is a reply.
TEST_F(LastingChangesTest, AnAckOverLoopbackThatMayMakeItsEntryIsChance) {
  connection_ = RepresentativeFlow(IpFamily::kIpv4, PathKind::kLoopback);
  const HandMadeTable behind = HandMadeTable().Base("p", Hook::kPrerouting, {IfNew({Drops()})});
  EXPECT_EQ(Evaluate(behind, PacketKind::kAck), Disposition::kAccept) << "the next one";
  const HandMadeTable both =
      HandMadeTable().Base("p", Hook::kPrerouting, {IfNew({Drops()})}).Base("o", Hook::kOutput, {{Limit{}, Drops()}});
  EXPECT_EQ(Evaluate(both, PacketKind::kAck), Disposition::kUnknown);
}

}  // namespace
}  // namespace finwait::firewall::eval
