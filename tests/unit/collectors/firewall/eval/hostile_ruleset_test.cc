// Rulesets that no kernel would give: bounded work, "unknown" with the reason, never a crash and never a guess.
#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>

#include <limits>
#include <random>

#include "collectors/firewall/eval/packet_traversal.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::firewall::eval {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Connection SomeConnection() {
  Connection connection;
  connection.local = Endpoint::Parse("192.0.2.1:40000");
  connection.peer = Endpoint::Parse("192.0.2.2:80");
  connection.egress = Interface{"eth0", 2, 1, 0, ""};
  return connection;
}

TraversalResult EvaluateFin(const Ruleset& ruleset, const Connection& connection = SomeConnection()) {
  ChainEvaluator evaluator(ruleset);
  return EvaluatePacket(evaluator, connection, PacketKind::kFin, {});
}

void ExpectUnknown(const HandMadeTable& table, const std::string& reason) {
  const Ruleset ruleset = table.AsRuleset();
  const TraversalResult verdict = EvaluateFin(ruleset);
  EXPECT_EQ(verdict.disposition, Disposition::kUnknown);
  EXPECT_THAT(verdict.reason, HasSubstr(reason));
}

TEST(HostileRulesetTest, AChainThatJumpsToItselfIsUnknown) {
  ExpectUnknown(HandMadeTable().Base("o", Hook::kOutput, {{JumpsTo("a")}}).Chain("a", {{JumpsTo("a")}}),
                "jumps deeper than the kernel allows");
}

TEST(HostileRulesetTest, ALoopOfGotosIsUnknown) {
  for (const Backend backend : kBackends) {
    ExpectUnknown(HandMadeTable(backend, TableFamily::kIpv4)
                      .Base("o", Hook::kOutput, {{GoesTo("a")}})
                      .Chain("a", {{GoesTo("b")}})
                      .Chain("b", {{GoesTo("a")}}),
                  "jumps deeper than the kernel allows");
  }
}

TEST(HostileRulesetTest, ALoopInAVerdictMapIsUnknown) {
  Set map;
  map.name = "m";
  map.key_length = 2;
  map.map = map.verdict_map = true;
  map.elements.push_back({ValueOf({0, 80}), {}, false, Verdict{Verdict::Kind::kJump, "a"}, {}, {}, {}, {}});
  const PayloadLoad port{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}};
  const Lookup lookup{"m", Register{0}, std::nullopt, true, false};
  ExpectUnknown(
      HandMadeTable().Base("o", Hook::kOutput, {{port, lookup}}).Chain("a", {{port, lookup}}).Holds(std::move(map)),
      "jumps deeper than the kernel allows");
}

// Sixteen chains of nftables, each with many jumps to the next: more ways than there are grains of sand.
TEST(HostileRulesetTest, AnExplosionOfJumpsIsGivenUp) {
  for (const Backend backend : kBackends) {
    HandMadeTable table(backend, TableFamily::kIpv4);
    const auto jumps = [](int to) {
      return std::vector<std::vector<Expression>>(50, {JumpsTo("c" + std::to_string(to))});
    };
    table.Base("o", Hook::kOutput, jumps(0));
    for (int i = 0; i < 14; ++i) {
      table.Chain("c" + std::to_string(i), jumps(i + 1));
    }
    table.Chain("c14", {});
    ExpectUnknown(table, "a ruleset too large to be run through");
  }
}

TEST(HostileRulesetTest, AChainThatIsNotThereIsUnknown) {
  ExpectUnknown(HandMadeTable().Base("o", Hook::kOutput, {{JumpsTo("nowhere")}}), "a chain that could not be read");
}

TEST(HostileRulesetTest, ASetThatIsNotThereIsUnknown) {
  ExpectUnknown(HandMadeTable().Base("o", Hook::kOutput,
                                     {{Immediate{Register{0}, ValueOf({1})},
                                       Lookup{"nowhere", Register{0}, {}, false, false}, Drops()}}),
                "set nowhere, which could not be read");
}

TEST(HostileRulesetTest, AnExpressionNeverHeardOfIsNamed) {
  ExpectUnknown(
      HandMadeTable().Base("o", Hook::kOutput, {{UnknownExpression{"warp", "not known to this version"}, Drops()}}),
      "the expression warp: not known to this version");
}

TEST(HostileRulesetTest, AnExtensionNeverHeardOfIsUnknownAndADropBehindItIsNone) {
  ExpectUnknown(HandMadeTable(Backend::kLegacy, TableFamily::kIpv4)
                    .Base("OUTPUT", Hook::kOutput, {{XtMatch{"warp", 7, ValueOf({1, 2, 3})}, Drops()}}),
                "warp");
  ExpectUnknown(
      HandMadeTable(Backend::kLegacy, TableFamily::kIpv4).Base("OUTPUT", Hook::kOutput, {{XtTarget{"WARP", 7, {}}}}),
      "the target WARP");
}

// What comes after does not matter any more once a rule that is certain has dropped the packet, nor what came before.
TEST(HostileRulesetTest, ACertainDropIsCertainWhateverElseIsUnknown) {
  const Ruleset ruleset = HandMadeTable()
                              .Base("o", Hook::kOutput, {{Limit{}, Says(Verdict::Kind::kReturn)}}, true)
                              .Base("p", Hook::kPostrouting, {{UnknownExpression{"warp", "new"}}})
                              .AsRuleset();
  EXPECT_EQ(EvaluateFin(ruleset).disposition, Disposition::kDrop);
}

// Each rule leaves one packet with its mark and one without: 2^40 packets.
TEST(HostileRulesetTest, AnExplosionOfPacketsIsGivenUp) {
  std::vector<std::vector<Expression>> rules;
  for (unsigned i = 0; i < 40; ++i) {
    Bitwise flip;
    flip.length = 4;
    flip.mask = ValueOf({0xff, 0xff, 0xff, 0xff});
    flip.xor_value = ValueOf({0, 0, 0, 0});
    flip.xor_value[i % 4] = static_cast<std::byte>(1U << (i / 4 % 8));
    rules.push_back({Limit{}, MetaLoad{NFT_META_MARK, Register{0}}, flip, MetaSet{NFT_META_MARK, Register{0}}});
  }
  rules.push_back(
      {MetaLoad{NFT_META_MARK, Register{0}}, Compare{NFT_CMP_EQ, Register{0}, ValueOf({1, 0, 0, 0})}, Drops()});
  ExpectUnknown(HandMadeTable().Base("o", Hook::kOutput, std::move(rules)), "too many possible packets");
}

TEST(HostileRulesetTest, ASetOf100000ElementsIsLookedInto) {
  Set set;
  set.name = "s";
  set.key_length = 4;
  set.elements.reserve(100'001);
  for (unsigned i = 0; i < 100'000; ++i) {
    set.elements.push_back({ValueOf({10, i >> 16, i >> 8 & 0xff, i & 0xff}), {}, false, {}, {}, {}, {}, {}});
  }
  set.elements.push_back({ValueOf({192, 0, 2, 2}), {}, false, {}, {}, {}, {}, {}});
  set.element_count = set.elements.size();
  const std::vector<Expression> rule = {PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Register{0}},
                                        Lookup{"s", Register{0}, {}, false, false}, Drops()};
  const Ruleset ruleset = HandMadeTable().Base("o", Hook::kOutput, {rule}).Holds(std::move(set)).AsRuleset();
  EXPECT_EQ(EvaluateFin(ruleset).disposition, Disposition::kDrop);
  Connection other = SomeConnection();
  other.peer = Endpoint::Parse("192.0.2.3:80");
  EXPECT_EQ(EvaluateFin(ruleset, other).disposition, Disposition::kAccept);
  // No list singles out the representative connection, however long it is.
  EXPECT_EQ(EvaluateFin(ruleset, RepresentativeFlow(IpFamily::kIpv4)).disposition, Disposition::kAccept);
  other.peer.reset();  // a peer that is not known may be on it
  EXPECT_EQ(EvaluateFin(ruleset, other).disposition, Disposition::kUnknown);
}

TEST(HostileRulesetTest, ASetOfWhichPartIsMissingIsUnknownForWhatIsNotInThePart) {
  Set set;
  set.name = "s";
  set.key_length = 2;
  set.contents = Contents::kTruncated;
  set.elements.push_back({ValueOf({0, 80}), {}, false, {}, {}, {}, {}, {}});
  const std::vector<Expression> rule = {PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}},
                                        Lookup{"s", Register{0}, {}, false, false}, Drops()};
  const Ruleset ruleset = HandMadeTable().Base("o", Hook::kOutput, {rule}).Holds(std::move(set)).AsRuleset();
  EXPECT_EQ(EvaluateFin(ruleset).disposition, Disposition::kDrop);
  Connection other = SomeConnection();
  other.peer = Endpoint::Parse("192.0.2.2:81");
  const TraversalResult verdict = EvaluateFin(ruleset, other);
  EXPECT_EQ(verdict.disposition, Disposition::kUnknown);
  EXPECT_THAT(verdict.reason, HasSubstr("set s, which is too large to be held"));
}

TEST(HostileRulesetTest, AChainCutShortIsUnknownBehindTheCut) {
  Chain chain;
  chain.name = "o";
  chain.base = BaseChain{};
  chain.base->hook = Hook::kOutput;
  chain.contents = Contents::kTruncated;
  Ruleset ruleset = HandMadeTable().AsRuleset();
  ruleset.tables[0].chains["o"] = std::make_shared<const Chain>(chain);
  EXPECT_THAT(EvaluateFin(ruleset).reason, HasSubstr("a chain too large to be held"));
}

TEST(HostileRulesetTest, WhatCouldNotBeReadIsUnknownWithTheReadersReason) {
  Ruleset ruleset = HandMadeTable().Base("o", Hook::kOutput, {{Drops()}}).AsRuleset();
  ruleset.unread.push_back({Backend::kLegacy, {}, {}, Error{FailureReason::kPermission, EPERM, "not permitted"}});
  const TraversalResult verdict = EvaluateFin(ruleset);
  EXPECT_EQ(verdict.disposition, Disposition::kUnknown);
  EXPECT_EQ(verdict.reason, "not permitted");
}

// Expressions of random numbers, in any order.
class RandomExpressions {
 public:
  explicit RandomExpressions(unsigned seed) : engine_(seed) {}

  Expression Next() {
    switch (Below(30)) {
      case 0:
        return Immediate{Reg(), Bytes()};
      case 1:
        return PayloadLoad{Small(), Number(), Number(), Reg()};
      case 2:
        return PayloadWrite{Small(), Number(), Number(), Reg()};
      case 3:
        return MetaLoad{Small(), Reg()};
      case 4:
        return MetaSet{Small(), Reg()};
      case 5:
        return CtLoad{Small(), std::nullopt, Reg()};
      case 6:
        return CtSet{Small(), std::nullopt, Reg()};
      case 7:
        return Bitwise{Small(), Reg(), Reg(), std::nullopt, Length(), Number(), Bytes(), Bytes()};
      case 8:
        return Bitwise{Small(), Reg(), Reg(), Reg(), Length(), Number(), Bytes(), Bytes()};
      case 9:
        return ByteOrder{Small(), Reg(), Reg(), Length(), Small()};
      case 10:
        return NumberGenerator{Small(), Number(), Number(), Reg()};
      case 11:
        return Hash{Small(), Reg(), Reg(), Length(), Number(), Number(), Number()};
      case 12:
        return Fib{Small(), Number(), Reg()};
      case 13:
        return RouteLoad{Small(), Reg()};
      case 14:
        return ExtensionHeader{Small(), Small(), Number(), Length(), Small(), Reg(), std::nullopt};
      case 15:
        return SocketLoad{Small(), Small(), Reg()};
      case 16:
        return Inner{Small(), "payload"};
      case 17:
        return Compare{Small(), Reg(), Bytes()};
      case 18:
        return Range{Small(), Reg(), Bytes(), Bytes()};
      case 19:
        return Lookup{Below(2) == 0 ? "s" : "m", Reg(), Reg(), Below(2) == 0, Below(2) == 0};
      case 20:
        return DynamicSet{"s", Small(), Reg(), Reg(), Below(2) == 0, Number(), {}, {"limit"}};
      case 21:
        return Nat{Small(), Small(), Reg(), Reg(), Reg(), Reg(), Number()};
      case 22:
        return Masquerade{Number(), Reg(), Reg()};
      case 23:
        return Redirect{Number(), Reg(), Reg()};
      case 24:
        return XtMatch{Name(), Small(), Bytes()};
      case 25:
        return XtTarget{Target(), Small(), Bytes()};
      case 26:
        return Says(static_cast<Verdict::Kind>(Below(9)), Below(2) == 0 ? "a" : "b");
      case 27:
        return ObjectMapReference{"m", Reg()};
      case 28:
        return ObjectReference{Small(), "o"};
      default:
        return Limit{};
    }
  }

  unsigned Below(unsigned end) { return static_cast<unsigned>(engine_() % end); }
  Value Bytes() {
    Value value(Below(3) == 0 ? Below(200) : Below(17));
    for (std::byte& byte : value) {
      byte = static_cast<std::byte>(Below(4) == 0 ? engine_() : 0);
    }
    return value;
  }

 private:
  std::uint32_t Number() { return Below(3) == 0 ? static_cast<std::uint32_t>(engine_()) : Below(64); }
  std::uint32_t Small() { return Below(8) == 0 ? Number() : Below(16); }
  std::uint32_t Length() { return Below(65); }  // as the decoder guarantees
  Register Reg() { return Register{static_cast<std::uint8_t>(4 * Below(16))}; }
  std::string Name() {
    constexpr const char* kNames[] = {"conntrack", "state", "tcp",      "multiport", "iprange",    "mark",
                                      "connmark",  "owner", "addrtype", "physdev",   "ipv6header", "nfacct",
                                      "socket",    "mac",   "length",   "ttl",       "tos",        "ecn",
                                      "helper",    "dscp",  "rpfilter"};
    return kNames[Below(std::size(kNames))];
  }
  std::string Target() {
    constexpr const char* kNames[] = {"DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP", "MARK",
                                      "CT",   "TTL",  "CONNMARK",   "SYNPROXY", "REJECT", "TPROXY"};
    return kNames[Below(std::size(kNames))];
  }

  std::mt19937_64 engine_;
};

TEST(HostileRulesetTest, RandomExpressionsEndInSomeVerdict) {
  std::array<std::size_t, 4> dispositions = {};
  for (unsigned seed = 0; seed < 3000; ++seed) {
    RandomExpressions random(seed);
    const auto rules = [&](unsigned most) {
      std::vector<std::vector<Expression>> made(1 + random.Below(most));
      for (auto& rule : made) {
        for (unsigned i = random.Below(6); i > 0; --i) {
          rule.push_back(random.Next());
        }
      }
      return made;
    };
    HandMadeTable table(random.Below(2) == 0 ? Backend::kNft : Backend::kLegacy, TableFamily::kInet);
    table.Base("o", Hook::kOutput, rules(6))
        .Base("i", Hook::kInput, rules(6))
        .Chain("a", rules(3))
        .Chain("b", rules(3));
    for (const char* name : {"s", "m"}) {
      Set set;
      set.name = name;
      set.key_length = 1 + random.Below(64);
      set.map = set.verdict_map = set.name == "m";
      if (random.Below(3) == 0) {
        set.field_lengths = {random.Below(20), random.Below(20), random.Below(20)};
      }
      for (unsigned i = random.Below(4); i > 0; --i) {
        SetElement element;
        element.key = random.Bytes();
        if (random.Below(2) == 0) {
          element.key_end = random.Bytes();
        }
        if (set.map) {
          element.data = Verdict{static_cast<Verdict::Kind>(random.Below(9)), "b"};
        }
        set.elements.push_back(std::move(element));
      }
      table.Holds(std::move(set));
    }
    const Ruleset ruleset = table.AsRuleset();
    for (Connection connection : {SomeConnection(), RepresentativeFlow(IpFamily::kIpv6), Connection{}}) {
      for (const PacketKind kind : {PacketKind::kFin, PacketKind::kData, PacketKind::kAck, PacketKind::kSyn}) {
        ChainEvaluator evaluator(ruleset);
        const TraversalResult verdict = EvaluatePacket(evaluator, connection, kind, {});
        ++dispositions[static_cast<std::size_t>(verdict.disposition)];
        EXPECT_TRUE(verdict.disposition != Disposition::kUnknown || !verdict.reason.empty()) << seed;
      }
    }
  }
  for (const std::size_t count : dispositions) {
    EXPECT_GT(count, 0U);  // else the expressions reach too little
  }
}

TEST(HostileRulesetTest, MoreWaysThroughAChainThanCanBeHeldAreUnknown) {
  // A thousand services; any connection may be to any of them.
  std::vector<std::vector<Expression>> rules;
  for (unsigned i = 0; i < 1000; ++i) {
    rules.push_back({PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, Register{0}},
                     Compare{NFT_CMP_EQ, Register{0}, ValueOf({198, 51, i / 250, i % 250})},
                     Says(Verdict::Kind::kAccept)});
  }
  HandMadeTable table;
  table.Base("o", Hook::kOutput, rules);
  const Ruleset ruleset = table.AsRuleset();
  Packet any;
  for (unsigned i = 0; i < 4; ++i) {
    any.network[16 + i] = AbstractByte::Of(Field::kDestinationAddress, i);
  }
  ChainEvaluator evaluator(ruleset);
  HookContext context;
  context.hook = Hook::kOutput;
  const Table& only = ruleset.tables.front();
  const auto results = evaluator.RunBaseChain(only, *only.chains.at("o"), context, any);
  EXPECT_THAT(results, SizeIs(testing::Le(EvaluationLimits().results + EvaluationLimits().packets + 1)));
  EXPECT_EQ(results.back().kind, ChainResult::Kind::kUnknown);
  EXPECT_EQ(EvaluateFin(ruleset).disposition, Disposition::kAccept) << "one connection has one way through";
}

}  // namespace
}  // namespace finwait::firewall::eval
