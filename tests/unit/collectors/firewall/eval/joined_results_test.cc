#include "collectors/firewall/eval/joined_results.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>

#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "collectors/firewall/packet/connection.h"
#include "collectors/firewall/packet/connection_class.h"
#include "tests/unit/collectors/firewall/eval/hand_made_ruleset.h"

namespace finwait::firewall::eval {
namespace {

using packet::Field;
using packet::IntervalSet;
using Kind = ChainResult::Kind;

const Rule kRules[100] = {};

// What becomes of a packet to `port`, by the rule of that position.
ChainResult To(unsigned port, std::size_t rule, Kind kind = Kind::kDrop) {
  ChainResult result;
  result.kind = kind;
  result.rule = &kRules[rule];
  result.packet.keeps_domains = true;
  result.packet.Restrict(Field::kDestinationPort, IntervalSet::Between(port, port));
  return result;
}

IntervalSet PortsOf(const ChainResult& result) { return result.packet.Domain(Field::kDestinationPort); }

TEST(JoinedResultsTest, WhatOneRuleStopsIsOneResult) {
  std::vector<ChainResult> results = {To(1, 0), To(5, 1), To(3, 0), To(2, 0)};
  JoinResults(results);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].rule, &kRules[0]) << "in the order of the oldest";
  EXPECT_EQ(PortsOf(results[0]), IntervalSet::Between(1, 3));
  EXPECT_EQ(PortsOf(results[1]), IntervalSet::Between(5, 5));
}

TEST(JoinedResultsTest, OfManyRulesSoManyKeepTheirOwnThatNoneIsTakenForTheOnlyOne) {
  std::vector<ChainResult> results;
  for (unsigned i = 0; i < std::size(kRules); ++i) {
    results.push_back(To(2 * i, i));
  }
  for (int again = 0; again < 2; ++again) {  // joined ones are joined further
    JoinResults(results);
    ASSERT_EQ(results.size(), kRulesToldApart + 2);
    for (std::size_t i = 0; i <= kRulesToldApart; ++i) {
      EXPECT_EQ(results[i].rule, &kRules[i]);
      EXPECT_EQ(PortsOf(results[i]), IntervalSet::Between(2 * i, 2 * i));
    }
    EXPECT_EQ(PortsOf(results.back()).Intervals().size(), std::size(kRules) - kRulesToldApart - 1 + again);
    results.push_back(To(1001, 99));
  }
}

TEST(JoinedResultsTest, WhatEndsOtherwiseIsNotJoined) {
  ChainResult unknown = To(7, 3, Kind::kUnknown);
  ChainResult other = To(8, 3, Kind::kUnknown);
  unknown.because = "a rate limit";
  other.because = "the time";
  std::vector<ChainResult> results = {To(1, 0), To(2, 0, Kind::kAccept), To(3, 0, Kind::kReject), unknown, other};
  JoinResults(results);
  EXPECT_EQ(results.size(), 5U);
}

TEST(JoinedResultsTest, PacketsThatDifferInMoreThanOneFieldAreNotJoined) {
  ChainResult from_elsewhere = To(2, 0);
  from_elsewhere.packet.Restrict(Field::kSourcePort, IntervalSet::Between(9, 9));
  ChainResult marked = To(3, 0);
  marked.packet.mark = packet::AbstractNumber<4>::Known(1);
  std::vector<ChainResult> results = {To(1, 0), from_elsewhere, marked};
  JoinResults(results);
  EXPECT_EQ(results.size(), 3U);
}

TEST(JoinedResultsTest, WhatIsAcceptedBehindManyRulesIsOneResult) {
  std::vector<ChainResult> results;
  for (unsigned i = 0; i < std::size(kRules); ++i) {
    results.push_back(To(i, i, Kind::kAccept));
  }
  JoinResults(results);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(PortsOf(results[0]), IntervalSet::Between(0, std::size(kRules) - 1));
}

// A rule for each of some thousand ports, with other ports between: more ways through than are kept.
TEST(JoinedResultsTest, AChainOfThousandsOfPortsIsRunToItsEndForAWholeClass) {
  constexpr unsigned kPorts = 3000;
  std::vector<std::vector<Expression>> rules;
  for (unsigned i = 0; i < kPorts; ++i) {
    const unsigned port = 2 * i + 1;
    rules.push_back({PayloadLoad{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, Register{0}},
                     Compare{NFT_CMP_EQ, Register{0}, ValueOf({port >> 8, port & 0xff})},
                     i % 3 == 0 ? Says(Verdict::Kind::kAccept) : Drops()});
  }
  const Ruleset ruleset = HandMadeTable().Base("o", Hook::kOutput, std::move(rules)).AsRuleset();
  Connection connection;
  connection.within =
      std::make_shared<const packet::ConnectionClass>(packet::ConnectionClass::Everything(IpFamily::kIpv4));
  ChainEvaluator evaluator(ruleset);
  const Table& table = ruleset.tables.front();
  HookContext context;
  context.hook = Hook::kOutput;
  const std::vector<ChainResult> results =
      evaluator.RunBaseChain(table, *table.chains.at("o"), context, packet::MakePacket(connection, PacketKind::kFin));
  std::vector<IntervalSet::Interval> dropped;
  for (const ChainResult& result : results) {
    ASSERT_NE(result.kind, Kind::kUnknown) << result.because;
    if (result.kind == Kind::kDrop) {
      const IntervalSet ports = PortsOf(result);
      dropped.insert(dropped.end(), ports.Intervals().begin(), ports.Intervals().end());
    }
  }
  EXPECT_EQ(IntervalSet::Union(std::move(dropped)).Intervals().size(), 2 * kPorts / 3);
}

}  // namespace
}  // namespace finwait::firewall::eval
