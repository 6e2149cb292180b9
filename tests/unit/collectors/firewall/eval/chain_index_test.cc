#include "collectors/firewall/eval/chain_index.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#include <algorithm>
#include <memory>
#include <random>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::firewall::eval {
namespace {

using Expressions = std::vector<Expression>;

constexpr std::uint32_t kSource = 12;  // offsets in the IPv4 header
constexpr std::uint32_t kDestination = 16;

Value Ipv4(const std::string& address) {
  const auto parsed = IpAddress::Parse(address);
  const auto bytes = parsed->Bytes();
  return {bytes.begin(), bytes.end()};
}

Expressions Asks(std::uint32_t offset, Value value, std::uint32_t operation = NFT_CMP_EQ) {
  const auto length = static_cast<std::uint32_t>(value.size());
  return {PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, offset, length, Register{0}},
          Compare{operation, Register{0}, std::move(value)}, Drops()};
}

Packet Fin(const std::string& local, const std::string& peer) {
  Connection connection;
  connection.local = Endpoint::Parse(local);
  connection.peer = Endpoint::Parse(peer);
  return MakePacket(connection, PacketKind::kFin);
}

const Chain& OnlyChain(const Ruleset& ruleset) { return *ruleset.tables.front().chains.begin()->second; }

std::vector<std::size_t> Candidates(const Chain& chain, const Packet& packet) {
  const ChainIndex index(chain);
  std::vector<std::size_t> candidates;
  for (std::size_t at = index.Next(0, packet); at < chain.rules.size(); at = index.Next(at + 1, packet)) {
    candidates.push_back(at);
  }
  return candidates;
}

std::vector<std::size_t> CandidatesOf(std::vector<Expressions> rules, const Packet& packet) {
  const Ruleset ruleset = HandMadeTable().Chain("c", std::move(rules)).AsRuleset();
  return Candidates(OnlyChain(ruleset), packet);
}

const Packet kFin = Fin("192.0.2.1:40000", "192.0.2.2:80");

TEST(ChainIndexTest, PassesOverRulesForOtherAddresses) {
  EXPECT_EQ(CandidatesOf({Asks(kDestination, Ipv4("192.0.2.3")), Asks(kDestination, Ipv4("192.0.2.2")),
                          Asks(kSource, Ipv4("192.0.2.2")), Asks(kSource, Ipv4("192.0.2.1")),
                          Asks(kDestination, ValueOf({192, 0, 2})), Asks(kDestination, ValueOf({192, 0, 3}))},
                         kFin),
            (std::vector<std::size_t>{1, 3, 4}));
}

TEST(ChainIndexTest, RunsWhateverItCannotTellApart) {
  Expressions after_a_side_effect = Asks(kDestination, Ipv4("192.0.2.3"));
  after_a_side_effect.insert(after_a_side_effect.begin(), MetaSet{NFT_META_MARK, Register{8}});
  Expressions overwritten = Asks(kDestination, Ipv4("192.0.2.3"));
  overwritten.insert(overwritten.begin() + 1, MetaLoad{NFT_META_MARK, Register{0}});
  Expressions loaded_anew = Asks(kDestination, Ipv4("192.0.2.1"));
  loaded_anew.insert(loaded_anew.begin() + 1, PayloadLoad{NFT_PAYLOAD_NETWORK_HEADER, kSource, 4, Register{0}});
  EXPECT_EQ(CandidatesOf({{Drops()},
                          Asks(kDestination, Ipv4("192.0.2.3"), NFT_CMP_NEQ),
                          Asks(kDestination, Ipv4("192.0.2.3"), NFT_CMP_GTE),
                          after_a_side_effect,
                          overwritten,
                          loaded_anew},
                         kFin),
            (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
}

TEST(ChainIndexTest, APacketWithoutAKnownAddressMayMatchEveryRuleThatAsksForIt) {
  EXPECT_EQ(CandidatesOf({Asks(kDestination, Ipv4("192.0.2.3")), Asks(kSource, Ipv4("192.0.2.4"))},
                         MakePacket(Connection(), PacketKind::kFin)),
            (std::vector<std::size_t>{0, 1}));
}

TEST(ChainIndexTest, OfAClassPassesOverRulesForAddressesThatItDoesNotHold) {
  Packet packet = MakePacket(Connection(), PacketKind::kFin);
  const Field field = packet.network[kDestination].field;
  packet.Restrict(field, packet::IntervalSet::Union({{0xc0000202, 0xc0000203}, {0xc0000209, 0xc0000209}}));
  const std::vector<Expressions> rules = {
      Asks(kDestination, Ipv4("192.0.2.1")),    Asks(kDestination, Ipv4("192.0.2.9")),
      Asks(kDestination, Ipv4("192.0.2.4")),    Asks(kDestination, Ipv4("192.0.2.2")),
      Asks(kDestination, ValueOf({192, 0, 3})), Asks(kSource, Ipv4("192.0.2.4"))};
  EXPECT_EQ(CandidatesOf(rules, packet), (std::vector<std::size_t>{1, 3, 4, 5}));
}

// What a rule told apart only to jump, and what comes back as it went, are one packet again: else each rule behind
// would be run for as many as there are jumps before it.
TEST(ChainIndexTest, JumpsWithoutEffectLeaveOnePacket) {
  constexpr unsigned kJumps = 300;
  std::vector<Expressions> jumps;
  for (unsigned port = 1; port <= kJumps; ++port) {
    jumps.push_back({PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}},
                     Compare{NFT_CMP_EQ, Register{0}, ValueOf({port / 256, port % 256})}, JumpsTo("k")});
  }
  const Ruleset ruleset = HandMadeTable()
                              .Base("o", Hook::kOutput, std::move(jumps))
                              .Chain("k", {Asks(kSource, Ipv4("203.0.113.1"))})
                              .AsRuleset();
  Connection connection;
  connection.within = std::make_shared<const packet::ConnectionClass>(
      packet::ConnectionClass::Everything(IpFamily::kIpv4)
          .Within(packet::Dimension::kLocalAddress, packet::IntervalSet::Between(0xc0000201, 0xc0000201)));
  ChainEvaluator evaluator(ruleset);
  const Packet fin = MakePacket(connection, PacketKind::kFin);
  const Table& table = ruleset.tables.front();
  const auto results = evaluator.RunBaseChain(table, *table.chains.at("o"), HookContext(), fin);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results.front().kind, ChainResult::Kind::kAccept);
  EXPECT_TRUE(results.front().packet.SameAs(fin)) << "nothing is known of it that was not";
}

TEST(ChainIndexTest, ReadsTheFixedPartOfLegacyRules) {
  const auto rule = [](const std::string& destination, unsigned inverted) {
    IpHeaderMatch match;
    const Value bytes = Ipv4(destination);
    std::copy(bytes.begin(), bytes.end(), match.destination.begin());
    std::fill_n(match.destination_mask.begin(), 4, std::byte{0xff});
    match.inverse_flags = static_cast<std::uint8_t>(inverted);
    return Expressions{std::make_shared<const IpHeaderMatch>(match), Drops()};
  };
  EXPECT_EQ(CandidatesOf({rule("192.0.2.3", 0), rule("192.0.2.2", 0), rule("192.0.2.3", IPT_INV_DSTIP)}, kFin),
            (std::vector<std::size_t>{1, 2}));
}

// What it passes over must not match: each such rule, run, lets the packet go on as it came.
class ChainIndexProperty : public testing::TestWithParam<unsigned> {};

TEST_P(ChainIndexProperty, PassesOverOnlyWhatDoesNotMatch) {
  std::mt19937 random(GetParam());
  const auto one_of = [&](std::initializer_list<std::uint32_t> values) {
    return *(values.begin() + random() % values.size());
  };
  const auto address = [&] { return "192.0.2." + std::to_string(random() % 3); };
  std::vector<Expressions> rules;
  for (int i = 0; i < 200; ++i) {
    Expressions rule;
    for (std::uint32_t j = 0, count = one_of({1, 2, 3}); j < count; ++j) {
      const std::uint32_t length = one_of({3, 4});
      Value value = Ipv4(address());
      value.resize(length);
      rule.emplace_back(PayloadLoad{one_of({NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER}),
                                    one_of({kSource, kDestination, 0}), length,
                                    Register{static_cast<std::uint8_t>(one_of({0, 4}))}});
      if (random() % 4 == 0) {
        rule.emplace_back(Counter{});
      }
      if (random() % 4 == 0) {
        rule.emplace_back(MetaLoad{NFT_META_MARK, Register{static_cast<std::uint8_t>(one_of({0, 4}))}});
      }
      rule.emplace_back(Compare{one_of({NFT_CMP_EQ, NFT_CMP_EQ, NFT_CMP_NEQ, NFT_CMP_LT}),
                                Register{static_cast<std::uint8_t>(one_of({0, 4}))}, value});
    }
    rule.emplace_back(Drops());
    rules.push_back(std::move(rule));
  }
  const Ruleset ruleset = HandMadeTable().Chain("c", std::move(rules)).AsRuleset();
  const Chain& chain = OnlyChain(ruleset);
  std::size_t passed_over = 0;
  for (int i = 0; i < 5; ++i) {
    const Packet packet = Fin(address() + ":40000", address() + ":80");
    const std::vector<std::size_t> candidates = Candidates(chain, packet);
    ChainEvaluator evaluator(ruleset);
    for (std::size_t at = 0; at < chain.rules.size(); ++at) {
      if (std::binary_search(candidates.begin(), candidates.end(), at)) {
        continue;
      }
      ++passed_over;
      std::vector<RuleResult> outcomes;
      RuleMachine(ruleset.tables.front(), chain, chain.rules[at], HookContext(), evaluator).Run(packet, outcomes);
      for (const RuleResult& outcome : outcomes) {
        EXPECT_EQ(outcome.kind, RuleResult::Kind::kContinue) << "rule " << at;
        EXPECT_EQ(outcome.packet.network, packet.network);
        EXPECT_EQ(outcome.packet.transport, packet.transport);
      }
    }
  }
  EXPECT_GT(passed_over, 0U) << "the property would hold for nothing";
}

INSTANTIATE_TEST_SUITE_P(Random, ChainIndexProperty, testing::Range(0U, 50U));

}  // namespace
}  // namespace finwait::firewall::eval
