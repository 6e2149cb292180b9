#include "collectors/firewall/read/nft_reader.h"

#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/wait.h>

#include <thread>

#include "tests/kernel/collectors/firewall/firewall_lab.h"

namespace finwait::firewall::read {
namespace {

using lab::Namespace;
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

TEST(NftReaderTest, ANamespaceWithoutRulesHasNoTables) {
  const Namespace where;
  const NftRuleset ruleset = lab::ReadNft(where);
  EXPECT_THAT(ruleset.tables, IsEmpty());
  EXPECT_THAT(ruleset.unread, IsEmpty());
  EXPECT_FALSE(ruleset.torn);
}

TEST(NftReaderTest, BaseChainsCarryHookPriorityTypeAndPolicy) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table inet t {
      chain a { type filter hook input priority -5; policy drop; }
      chain b { type filter hook ingress device "lo" priority 7; }
    }
    table ip t { chain c { type route hook output priority mangle; } }
    table ip6 t { chain d { type nat hook postrouting priority srcnat; } }
  )");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  where.Shell("ip link add eth0 type veth peer name eth1");
  lab::LoadNft(where, R"(
    table netdev n {
      chain in { type filter hook ingress devices = { eth0, eth1 } priority 0; tcp dport 1 drop
      }
      chain out { type filter hook egress device eth0 priority 0; tcp dport 2 drop
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
  const Table& table = TableNamed(tables, TableFamily::kNetdev, "n");
  EXPECT_THAT(ChainNamed(table, "in").base->devices,
              UnorderedElementsAre(Device{"eth0", false}, Device{"eth1", false}));
  EXPECT_EQ(ChainNamed(table, "in").base->hook, Hook::kIngress);
  EXPECT_THAT(ChainNamed(table, "in").rules, SizeIs(1));
  EXPECT_EQ(ChainNamed(table, "out").base->hook, Hook::kEgress);
  EXPECT_THAT(ChainNamed(table, "out").rules, SizeIs(1));
}

TEST(NftReaderTest, TablesForBridgesAndArpAreLeftOut) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table bridge b { chain c { type filter hook forward priority 0; policy drop; } }
    table arp a { chain c { type filter hook input priority 0; policy drop; } }
    table ip i { }
  )");
  const auto tables = lab::ReadNft(where).tables;
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_EQ(tables.front().name, "i");
}

TEST(NftReaderTest, DormantTablesAreListedAndNotRead) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      flags dormant
      chain c { type filter hook output priority 0; ct state invalid drop
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_TRUE(tables.front().dormant);
  EXPECT_EQ(ChainNamed(tables.front(), "c").contents, Contents::kNotRead);
}

TEST(NftReaderTest, OnlyChainsThatABaseChainReachesAreRead) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      chain jumped { accept
      }
      chain gone_to { goto deeper
      }
      chain deeper { drop
      }
      chain mapped { accept
      }
      chain unreached { drop
      }
      chain nat_only { accept
      }
      chain filter { type filter hook output priority 0;
        tcp dport 1 jump jumped
        tcp dport 2 goto gone_to
        tcp dport vmap { 3 : jump mapped, 4 : accept }
      }
      chain nat { type nat hook output priority -100; jump nat_only
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
  std::vector<std::string> read;
  std::vector<std::string> not_read;
  for (const auto& [name, chain] : tables.front().chains) {
    (chain->contents == Contents::kComplete ? read : not_read).push_back(name);
  }
  EXPECT_THAT(read, ElementsAre("deeper", "filter", "gone_to", "jumped", "mapped"));
  EXPECT_THAT(not_read, ElementsAre("nat"));
}

TEST(NftReaderTest, ChainsWithoutANameAreFollowed) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t { chain c { type filter hook output priority 0; tcp dport 1 jump { ct state invalid drop; accept; }
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
  ASSERT_THAT(tables.front().chains, SizeIs(2));
  const auto& rules = ChainNamed(tables.front(), "c").rules;
  ASSERT_THAT(rules, SizeIs(1));
  const auto& jump = std::get<VerdictStatement>(rules.front().expressions.back()).verdict;
  EXPECT_THAT(ChainNamed(tables.front(), jump.chain).rules, SizeIs(2));
}

TEST(NftReaderTest, RulesCarryHandleIndexCommentAndCounter) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t { chain c { type filter hook output priority 0;
      counter packets 7 bytes 700 accept comment "first"
      drop
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      counter used { packets 3 bytes 30
      }
      counter unused { packets 4 bytes 40
      }
      chain c { type filter hook output priority 0; counter name "used" drop
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
  ASSERT_THAT(tables.front().objects, SizeIs(1));
  EXPECT_EQ(tables.front().objects.front().name, "used");
  EXPECT_EQ(tables.front().objects.front().counter, (Counter{3, 30}));
}

TEST(NftReaderTest, RangesOfASetAreJoinedFromTheirTwoHalves) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7, 224.0.0.0/3 }
      }
      chain c { type filter hook output priority 0; ip daddr @s drop
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t { chain c { type filter hook output priority 0;
      tcp dport vmap { 1-9 : accept, 10-19 : drop, 20 : return }
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t { chain c { type filter hook output priority 0;
      ip daddr . tcp dport { 192.0.2.0/24 . 80-90, 198.51.100.1 . 443 } drop
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      chain sub { accept
      }
      map verdicts { type inet_service : verdict; counter
        elements = { 80 counter packets 5 bytes 50 : jump sub, * counter packets 6 bytes 60 : drop }
      }
      map marks { type inet_service : mark; elements = { 80 : 0x12345678 }
      }
      set timed { type ipv4_addr; timeout 1h; elements = { 192.0.2.1 }
      }
      set learnt { type ipv4_addr; flags dynamic; size 10
      }
      chain c { type filter hook output priority 0;
        tcp dport vmap @verdicts
        meta mark set tcp dport map @marks
        ip daddr @timed drop
        add @learnt { ip daddr }
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  where.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j REJECT");
  const auto tables = lab::ReadNft(where).tables;
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
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      set hashed { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2, 192.0.2.3 }
      }
      set ranges { type ipv4_addr; flags interval; elements = { 192.0.2.1, 192.0.2.3, 192.0.2.5 }
      }
      chain sub { accept
      }
      chain c { type filter hook output priority 0;
        ip daddr @hashed drop
        ip daddr @ranges drop
        jump sub
      }
      chain d { type filter hook output priority 1; drop
      }
    }
  )");
  ReaderLimits limits;
  limits.set_elements = 2;
  limits.rules = 3;
  const auto tables = lab::ReadNft(where, limits).tables;
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

TEST(NftReaderTest, TheGenerationChangesWithEveryCommitAndWithNothingElse) {
  const Namespace where;
  lab::LoadNft(where, R"(table ip t { set s { type ipv4_addr; }
    chain c { type filter hook output priority 0; counter
    }
  })");
  const auto generation = [&] { return lab::ReadNft(where).generation; };
  const auto first = generation();
  lab::SendPacket(where);
  EXPECT_EQ(generation(), first) << "traffic";
  where.Shell("nft add element ip t s '{ 192.0.2.1 }'");
  const auto second = generation();
  EXPECT_NE(second, first);
  where.Shell("nft add rule ip t c drop");
  EXPECT_NE(generation(), second);
}

TEST(NftReaderTest, ARulesetThatNeverStopsChangingIsPublishedAsTorn) {
  const Namespace where;
  lab::LoadNft(where, "table ip t { chain c { type filter hook output priority 0; } }");
  // Enough rules in chains of their own that a read takes longer than a commit.
  std::string chains;
  for (int i = 0; i < 400; ++i) {
    const std::string name = "c" + std::to_string(i);
    chains += "add chain ip t " + name + "\nadd rule ip t " + name + " accept\nadd rule ip t c jump " + name + "\n";
  }
  lab::LoadNft(where, chains);
  // nft is the process itself, so that it can be ended; what feeds it then ends by SIGPIPE.
  const pid_t writer =
      where.Spawn({"bash", "-c", "exec nft -i < <(while :; do printf 'add table ip x\\ndelete table ip x\\n'; done)"});
  bool torn = false;
  for (int i = 0; i < 200 && !torn; ++i) {
    const NftRuleset ruleset = lab::ReadNft(where);
    torn = ruleset.torn;
    EXPECT_FALSE(ruleset.tables.empty());
  }
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  EXPECT_TRUE(torn);
}

TEST(NftReaderTest, OneKeyIsLookedUpInASetOfAnySize) {
  const Namespace where;
  std::string elements;
  for (int i = 0; i < 20'000; ++i) {
    elements +=
        (i == 0 ? "" : ", ") + std::string("10.") + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/25";
  }
  lab::LoadNft(where, "table ip t { set big { type ipv4_addr; flags interval; elements = { " + elements + R"( }
      }
      map ports { type inet_service : verdict; elements = { 80 : accept, * : drop }
      }
      chain c { type filter hook output priority 0; ip daddr @big drop
        tcp dport vmap @ports
      }
    })");
  const auto tables = lab::ReadNft(where).tables;
  const Table& table = tables.front();
  const Set& big = *FindSet(table, "big");
  EXPECT_EQ(big.contents, Contents::kTruncated);
  EXPECT_EQ(big.element_count, 20'000U);
  const Set& all = *FindSet(table, "ports");
  where.Run([&] {
    KernelResolver reader(lab::HostHere(), lab::Soon());
    EXPECT_TRUE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 0}))));
    EXPECT_TRUE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 100}))));
    EXPECT_TRUE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 127}))));
    EXPECT_FALSE(lab::Value(reader.FindElement(table, big, Bytes({10, 7, 7, 128}))));
    EXPECT_FALSE(lab::Value(reader.FindElement(table, big, Bytes({192, 0, 2, 1}))));
    const auto hit = lab::Value(reader.FindElement(table, all, Bytes({0, 80})));
    EXPECT_EQ(std::get<Verdict>(hit.value().data).kind, Verdict::Kind::kAccept);
    const auto caught = lab::Value(reader.FindElement(table, all, Bytes({0, 81})));
    EXPECT_TRUE(caught.value().catch_all);
    EXPECT_EQ(std::get<Verdict>(caught->data).kind, Verdict::Kind::kDrop);
  });
}

TEST(NftReaderTest, NatChainsAreReadWhenAQuestionNeedsThem) {
  const Namespace where;
  lab::LoadNft(where, R"(
    table ip t {
      chain service { dnat to 192.0.2.1
      }
      chain nat { type nat hook output priority -100; ip daddr 198.51.100.1 jump service
      }
    }
  )");
  const auto tables = lab::ReadNft(where).tables;
  const Table& table = tables.front();
  where.Run([&] {
    KernelResolver reader(lab::HostHere(), lab::Soon());
    const auto nat = lab::Value(reader.ReadChain(table, "nat"));
    EXPECT_EQ(nat->contents, Contents::kComplete);
    EXPECT_EQ(nat->base->type, ChainType::kNat);
    ASSERT_THAT(nat->rules, SizeIs(1));
    EXPECT_THAT(lab::Value(reader.ReadChain(table, "service"))->rules, SizeIs(1));
    const auto missing = reader.ReadChain(table, "missing");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().reason, FailureReason::kUnsupported);
  });
}

}  // namespace
}  // namespace finwait::firewall::read
