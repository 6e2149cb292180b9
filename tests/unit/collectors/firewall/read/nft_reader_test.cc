#include "collectors/firewall/read/nft_reader.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/recording/case.h"
#include "tests/recording/rule_source.h"
#include "tests/recording/rules_record.h"
#include "tests/unit/collectors/firewall/read/replayed.h"

// What the reader makes of what a kernel sent: tests/cases/read. The kernel tests hold these recordings against a
// kernel.
namespace finwait::firewall::read {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const Table& TableNamed(const std::vector<Table>& tables, TableFamily family, std::string_view name) {
  for (const Table& table : tables) {
    if (table.family == family && table.name == name) {
      return table;
    }
  }
  throw std::runtime_error("no table " + std::string(name));
}

const Chain& ChainNamed(const Table& table, std::string_view name) {
  const Chain* chain = FindChain(table, name);
  if (chain == nullptr) {
    throw std::runtime_error("no chain " + std::string(name));
  }
  return *chain;
}

const Set& OnlySet(const Table& table) {
  EXPECT_THAT(table.sets, SizeIs(1));
  return *table.sets.begin()->second;
}

Value Bytes(std::initializer_list<unsigned> bytes) {
  Value value;
  for (const unsigned byte : bytes) {
    value.push_back(static_cast<std::byte>(byte));
  }
  return value;
}

TEST(NftReaderTest, BaseChainsCarryHookPriorityTypeAndPolicy) {
  const auto tables = Replayed("base_chains").ReadNft().tables;
  ASSERT_THAT(tables, SizeIs(3));

  const BaseChain& a = *ChainNamed(TableNamed(tables, TableFamily::kInet, "t"), "a").base;
  EXPECT_EQ(a.hook, Hook::kInput);
  EXPECT_EQ(a.priority, -5);
  EXPECT_EQ(a.type, ChainType::kFilter);
  EXPECT_TRUE(a.policy_drop);
  EXPECT_EQ(a.policy_counter, std::nullopt) << "native nft chains do not count their policy";

  const BaseChain& b = *ChainNamed(TableNamed(tables, TableFamily::kInet, "t"), "b").base;
  EXPECT_EQ(b.hook, Hook::kIngress);
  EXPECT_THAT(b.devices, ElementsAre(Device{"lo", false}));
  EXPECT_FALSE(b.policy_drop);

  const BaseChain& c = *ChainNamed(TableNamed(tables, TableFamily::kIpv4, "t"), "c").base;
  EXPECT_EQ(c.hook, Hook::kOutput);
  EXPECT_EQ(c.priority, -150);
  EXPECT_EQ(c.type, ChainType::kRoute);

  const Chain& d = ChainNamed(TableNamed(tables, TableFamily::kIpv6, "t"), "d");
  EXPECT_EQ(d.base->hook, Hook::kPostrouting);
  EXPECT_EQ(d.base->priority, 100);
  EXPECT_EQ(d.base->type, ChainType::kNat);
  EXPECT_EQ(d.contents, Contents::kNotRead);
}

TEST(NftReaderTest, NetdevChainsCarryAllTheirDevicesOnIngressAndEgress) {
  const auto tables = Replayed("netdev_devices").ReadNft().tables;
  const Table& table = TableNamed(tables, TableFamily::kNetdev, "n");
  EXPECT_THAT(ChainNamed(table, "in").base->devices,
              UnorderedElementsAre(Device{"eth0", false}, Device{"eth1", false}));
  EXPECT_EQ(ChainNamed(table, "in").base->hook, Hook::kIngress);
  EXPECT_THAT(ChainNamed(table, "in").rules, SizeIs(1));
  EXPECT_EQ(ChainNamed(table, "out").base->hook, Hook::kEgress);
  EXPECT_THAT(ChainNamed(table, "out").rules, SizeIs(1));
}

TEST(NftReaderTest, TablesForBridgesAreReadAndThoseForArpLeftOut) {
  const auto tables = Replayed("bridge_and_arp").ReadNft().tables;
  ASSERT_THAT(tables, SizeIs(2));
  EXPECT_EQ(tables.back().name, "i");
  const Table& table = TableNamed(tables, TableFamily::kBridge, "b");
  EXPECT_EQ(ChainNamed(table, "c").base->hook, Hook::kForward);
  EXPECT_TRUE(ChainNamed(table, "c").base->policy_drop);
  EXPECT_EQ(ChainNamed(table, "c").contents, Contents::kComplete);
}

TEST(NftReaderTest, DormantTablesAreListedAndNotRead) {
  const auto tables = Replayed("dormant_table").ReadNft().tables;
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_TRUE(tables.front().dormant);
  EXPECT_EQ(ChainNamed(tables.front(), "c").contents, Contents::kNotRead);
}

TEST(NftReaderTest, OnlyChainsThatABaseChainReachesAreRead) {
  const auto tables = Replayed("reached_chains").ReadNft().tables;
  std::vector<std::string> read;
  std::vector<std::string> not_read;
  for (const auto& [name, chain] : tables.front().chains) {
    (chain->contents == Contents::kComplete ? read : not_read).push_back(name);
  }
  EXPECT_THAT(read, ElementsAre("deeper", "filter", "gone_to", "jumped", "mapped"));
  EXPECT_THAT(not_read, ElementsAre("nat"));
}

TEST(NftReaderTest, ChainsWithoutANameAreFollowed) {
  const auto tables = Replayed("chain_without_name").ReadNft().tables;
  ASSERT_THAT(tables.front().chains, SizeIs(2));
  const auto& rules = ChainNamed(tables.front(), "c").rules;
  ASSERT_THAT(rules, SizeIs(1));
  const auto& jump = std::get<VerdictStatement>(rules.front().expressions.back()).verdict;
  EXPECT_THAT(ChainNamed(tables.front(), jump.chain).rules, SizeIs(2));
}

TEST(NftReaderTest, RulesCarryHandleIndexCommentAndCounter) {
  const auto tables = Replayed("comment_and_counter").ReadNft().tables;
  const auto& rules = ChainNamed(tables.front(), "c").rules;
  ASSERT_THAT(rules, SizeIs(2));
  EXPECT_EQ(rules[0].index, 1U);
  EXPECT_EQ(rules[0].comment, "first");
  EXPECT_EQ(std::get<Counter>(rules[0].expressions.at(0)), (Counter{7, 700}));
  EXPECT_EQ(std::get<VerdictStatement>(rules[0].expressions.at(1)).verdict.kind, Verdict::Kind::kAccept);
  EXPECT_EQ(rules[1].index, 2U);
  EXPECT_EQ(rules[1].comment, "");
  EXPECT_LT(*rules[0].handle, *rules[1].handle);
}

TEST(NftReaderTest, NamedCountersAreReadWhereRulesReferToThem) {
  const auto tables = Replayed("named_counters").ReadNft().tables;
  ASSERT_THAT(tables.front().objects, SizeIs(1));
  EXPECT_EQ(tables.front().objects.front().name, "used");
  EXPECT_EQ(tables.front().objects.front().counter, (Counter{3, 30}));
}

TEST(NftReaderTest, RangesOfASetAreJoinedFromTheirTwoHalves) {
  const auto tables = Replayed("set_of_ranges").ReadNft().tables;
  const Set& set = OnlySet(tables.front());
  EXPECT_TRUE(set.interval);
  EXPECT_EQ(set.contents, Contents::kComplete);
  EXPECT_EQ(set.element_count, 3U);
  ASSERT_THAT(set.elements, SizeIs(3));
  EXPECT_EQ(set.elements[0].key, Bytes({192, 0, 2, 0}));
  EXPECT_EQ(set.elements[0].key_end, Bytes({192, 0, 2, 255}));
  EXPECT_EQ(set.elements[1].key, Bytes({198, 51, 100, 7}));
  EXPECT_EQ(set.elements[1].key_end, std::nullopt);
  EXPECT_EQ(set.elements[2].key, Bytes({224, 0, 0, 0}));
  EXPECT_EQ(set.elements[2].key_end, Bytes({255, 255, 255, 255})) << "an open end";
}

TEST(NftReaderTest, AdjoiningRangesWithDifferentVerdictsStayApart) {
  const auto tables = Replayed("adjoining_ranges").ReadNft().tables;
  const Set& set = OnlySet(tables.front());
  EXPECT_TRUE(set.anonymous);
  EXPECT_TRUE(set.verdict_map);
  ASSERT_THAT(set.elements, SizeIs(3));
  EXPECT_EQ(set.elements[0].key, Bytes({0, 1}));
  EXPECT_EQ(set.elements[0].key_end, Bytes({0, 9}));
  EXPECT_EQ(std::get<Verdict>(set.elements[0].data).kind, Verdict::Kind::kAccept);
  EXPECT_EQ(set.elements[1].key, Bytes({0, 10}));
  EXPECT_EQ(set.elements[1].key_end, Bytes({0, 19}));
  EXPECT_EQ(std::get<Verdict>(set.elements[1].data).kind, Verdict::Kind::kDrop);
  EXPECT_EQ(set.elements[2].key, Bytes({0, 20}));
  EXPECT_EQ(set.elements[2].key_end, std::nullopt);
}

TEST(NftReaderTest, ConcatenatedRangesCarryTheirFields) {
  const auto tables = Replayed("concatenated_ranges").ReadNft().tables;
  const Set& set = OnlySet(tables.front());
  EXPECT_EQ(set.key_length, 8U);
  EXPECT_THAT(set.field_lengths, ElementsAre(4U, 2U));
  ASSERT_THAT(set.elements, SizeIs(2));
  EXPECT_EQ(set.elements[0].key, Bytes({192, 0, 2, 0, 0, 80, 0, 0}));
  EXPECT_EQ(set.elements[0].key_end, Bytes({192, 0, 2, 255, 0, 90, 0, 0}));
  EXPECT_EQ(set.elements[1].key, Bytes({198, 51, 100, 1, 1, 187, 0, 0}));
  EXPECT_EQ(set.elements[1].key_end, std::nullopt);
}

TEST(NftReaderTest, ElementsCarryDataCatchAllCountersAndTimeouts) {
  const auto tables = Replayed("element_data").ReadNft().tables;
  const Table& table = tables.front();

  const Set& verdicts = *FindSet(table, "verdicts");
  ASSERT_THAT(verdicts.elements, SizeIs(2));
  EXPECT_EQ(std::get<Verdict>(verdicts.elements[0].data), (Verdict{Verdict::Kind::kJump, "sub"}));
  EXPECT_EQ(verdicts.elements[0].counter, (Counter{5, 50}));
  EXPECT_TRUE(verdicts.elements[1].catch_all);
  EXPECT_THAT(verdicts.elements[1].key, IsEmpty());
  EXPECT_EQ(std::get<Verdict>(verdicts.elements[1].data).kind, Verdict::Kind::kDrop);
  EXPECT_EQ(verdicts.elements[1].counter, (Counter{6, 60}));

  const Set& marks = *FindSet(table, "marks");
  EXPECT_TRUE(marks.map);
  EXPECT_FALSE(marks.verdict_map);
  EXPECT_EQ(std::get<Value>(marks.elements.at(0).data), Bytes({0x78, 0x56, 0x34, 0x12})) << "marks are in host order";

  const Set& timed = *FindSet(table, "timed");
  EXPECT_TRUE(timed.has_timeout);
  EXPECT_GT(timed.elements.at(0).expires_ms.value_or(0), 3'500'000U);
  EXPECT_LE(timed.elements.at(0).expires_ms.value_or(0), 3'600'000U);

  EXPECT_TRUE(FindSet(table, "learnt")->dynamic);
  EXPECT_NE(FindChain(table, "sub"), nullptr) << "reached by the map's element";
}

TEST(NftReaderTest, XtExtensionsInsideNftablesKeepNameRevisionAndBytes) {
  const auto tables = Replayed("xt_in_nft").ReadNft().tables;
  const auto& expressions =
      ChainNamed(TableNamed(tables, TableFamily::kIpv4, "filter"), "OUTPUT").rules.at(0).expressions;
  ASSERT_THAT(expressions, SizeIs(3));
  EXPECT_EQ(std::get<XtMatch>(expressions[0]).name, "conntrack");
  EXPECT_EQ(std::get<XtMatch>(expressions[0]).revision, 3U);
  EXPECT_GE(std::get<XtMatch>(expressions[0]).info.size(), 164U);
  EXPECT_TRUE(std::holds_alternative<Counter>(expressions[1]));
  EXPECT_EQ(std::get<XtTarget>(expressions[2]).name, "REJECT");
}

TEST(NftReaderTest, BoundsMarkWhatTheyCutOff) {
  ReaderLimits limits;
  limits.set_elements = 2;
  limits.rules = 3;
  const auto tables = Replayed("bounds").ReadNft(limits).tables;
  const Table& table = tables.front();
  const Set& hashed = *FindSet(table, "hashed");
  EXPECT_EQ(hashed.contents, Contents::kTruncated);
  EXPECT_EQ(hashed.element_count, 3U);
  EXPECT_THAT(hashed.elements, SizeIs(2));
  const Set& ranges = *FindSet(table, "ranges");
  EXPECT_EQ(ranges.contents, Contents::kTruncated);
  EXPECT_THAT(ranges.elements, IsEmpty()) << "half a range would be a wrong range";
  EXPECT_EQ(ChainNamed(table, "c").contents, Contents::kComplete);
  EXPECT_EQ(ChainNamed(table, "d").contents, Contents::kTruncated);
  EXPECT_THAT(ChainNamed(table, "d").rules, IsEmpty());
}

TEST(NftReaderTest, NatChainsAreReadWhenAQuestionNeedsThem) {
  recording::RuleSource source = Replayed("nat_on_demand");
  const auto tables = source.ReadNft().tables;
  const Table& table = tables.front();
  EXPECT_EQ(ChainNamed(table, "nat").contents, Contents::kNotRead);
  const auto nat = source.Resolver().ReadChain(table, "nat").value();
  EXPECT_EQ(nat->contents, Contents::kComplete);
  EXPECT_EQ(nat->base->type, ChainType::kNat);
  ASSERT_THAT(nat->rules, SizeIs(1));
  EXPECT_THAT(source.Resolver().ReadChain(table, "service").value()->rules, SizeIs(1));
}

}  // namespace
}  // namespace finwait::firewall::read
