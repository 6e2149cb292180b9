#include "collectors/firewall/read/legacy_reader.h"

#include <gmock/gmock.h>

#include "tests/kernel/collectors/firewall/firewall_lab.h"

namespace finwait::firewall::read {
namespace {

using lab::Namespace;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const Table& TableNamed(const LegacyRuleset& ruleset, TableFamily family, std::string_view name) {
  for (const Table& table : ruleset.tables) {
    if (table.family == family && table.name == name) {
      return table;
    }
  }
  throw std::runtime_error("no table " + std::string(name));
}

TEST(LegacyReaderTest, LookingMakesNoTable) {
  const Namespace where;
  for (int i = 0; i < 100; ++i) {
    const LegacyRuleset ruleset = lab::ReadLegacy(where);
    EXPECT_THAT(ruleset.tables, IsEmpty());
    EXPECT_THAT(ruleset.unread, IsEmpty());
  }
  EXPECT_EQ(where.Shell("cat /proc/thread-self/net/ip_tables_names /proc/thread-self/net/ip6_tables_names"), "");
  // The proof that this could have failed: the tool that everybody uses does make one.
  where.Shell("iptables-legacy -L -n");
  EXPECT_EQ(where.Shell("cat /proc/thread-self/net/ip_tables_names"), "filter\n");
}

TEST(LegacyReaderTest, AQuestionAboutATableThatIsNotThereMakesNone) {
  const Namespace where;
  where.Run([] {
    Table nat;
    nat.backend = Backend::kLegacy;
    nat.name = "nat";
    EXPECT_FALSE(KernelResolver(lab::HostHere(), lab::Soon()).ReadChain(nat, "OUTPUT"));
  });
  EXPECT_EQ(where.Shell("cat /proc/thread-self/net/ip_tables_names"), "");
}

TEST(LegacyReaderTest, OneTableLeavesTheOthersUnmade) {
  const Namespace where;
  where.Shell("iptables-legacy -t raw -L -n");
  const LegacyRuleset ruleset = lab::ReadLegacy(where);
  ASSERT_THAT(ruleset.tables, SizeIs(1));
  EXPECT_EQ(where.Shell("cat /proc/thread-self/net/ip_tables_names"), "raw\n");
}

TEST(LegacyReaderTest, TablesCarryTheirHooksPrioritiesPoliciesAndCounters) {
  const Namespace where;
  lab::Load(where, {"iptables-legacy-restore", "-c"}, R"(*filter
:INPUT DROP [3:300]
:FORWARD ACCEPT [4:400]
:OUTPUT ACCEPT [5:500]
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT DROP [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -d 198.51.100.1/32 -j ACCEPT
COMMIT
)");
  const LegacyRuleset ruleset = lab::ReadLegacy(where);
  const Table& filter = TableNamed(ruleset, TableFamily::kIpv4, "filter");
  EXPECT_EQ(filter.backend, Backend::kLegacy);
  EXPECT_THAT(filter.chains, SizeIs(3));
  const BaseChain& input = *FindChain(filter, "INPUT")->base;
  EXPECT_EQ(input.hook, Hook::kInput);
  EXPECT_EQ(input.priority, 0);
  EXPECT_TRUE(input.policy_drop);
  EXPECT_EQ(input.policy_counter, (Counter{3, 300}));
  EXPECT_EQ(FindChain(filter, "FORWARD")->base->policy_counter, (Counter{4, 400}));
  EXPECT_FALSE(FindChain(filter, "OUTPUT")->base->policy_drop);

  const BaseChain& mangle = *FindChain(TableNamed(ruleset, TableFamily::kIpv4, "mangle"), "OUTPUT")->base;
  EXPECT_EQ(mangle.priority, -150);
  EXPECT_EQ(mangle.type, ChainType::kRoute);
  EXPECT_TRUE(mangle.policy_drop);

  const Table& nat = TableNamed(ruleset, TableFamily::kIpv4, "nat");
  EXPECT_THAT(nat.chains, SizeIs(4));
  const Chain& output = *FindChain(nat, "OUTPUT");
  EXPECT_EQ(output.contents, Contents::kNotRead);
  EXPECT_EQ(output.base->type, ChainType::kNat);
  EXPECT_EQ(output.base->priority, -100);
  EXPECT_EQ(FindChain(nat, "POSTROUTING")->base->priority, 100);
  EXPECT_THAT(lab::ResolvedChain(where, nat, "OUTPUT")->rules, SizeIs(1));
}

TEST(LegacyReaderTest, RulesCarryTheirHeaderMatchesCounterAndVerdict) {
  const Namespace where;
  lab::Load(where, {"iptables-legacy-restore", "-c"}, R"(*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:SUB - [0:0]
:EMPTY - [0:0]
[1:10] -A OUTPUT ! -s 192.0.2.0/24 -o eth+ -p tcp -m conntrack --ctstate INVALID -j SUB
[2:20] -A OUTPUT -g EMPTY
[3:30] -A OUTPUT
[4:40] -A OUTPUT -j REJECT
[5:50] -A SUB -j RETURN
[6:60] -A SUB -j DROP
COMMIT
)");
  const LegacyRuleset ruleset = lab::ReadLegacy(where);
  const Table& filter = TableNamed(ruleset, TableFamily::kIpv4, "filter");
  const auto& rules = FindChain(filter, "OUTPUT")->rules;
  ASSERT_THAT(rules, SizeIs(4));

  ASSERT_THAT(rules[0].expressions, SizeIs(4));
  const auto& header = *std::get<std::shared_ptr<const IpHeaderMatch>>(rules[0].expressions[0]);
  EXPECT_EQ(header.protocol, 6);
  EXPECT_EQ(header.inverse_flags, 0x08) << "IPT_INV_SRCIP";
  EXPECT_EQ(std::string_view(header.out.name.data(), 3), "eth");
  EXPECT_EQ(header.out.mask[2], 0xff);
  EXPECT_EQ(header.out.mask[3], 0);
  EXPECT_EQ(std::get<XtMatch>(rules[0].expressions[1]).name, "conntrack");
  EXPECT_EQ(std::get<Counter>(rules[0].expressions[2]), (Counter{1, 10}));
  EXPECT_EQ(std::get<VerdictStatement>(rules[0].expressions[3]).verdict, (Verdict{Verdict::Kind::kJump, "SUB"}));
  EXPECT_EQ(rules[0].index, 1U);
  EXPECT_EQ(rules[0].handle, std::nullopt);

  ASSERT_THAT(rules[1].expressions, SizeIs(2)) << "no header: it would match everything";
  EXPECT_EQ(std::get<VerdictStatement>(rules[1].expressions[1]).verdict, (Verdict{Verdict::Kind::kGoto, "EMPTY"}));
  ASSERT_THAT(rules[2].expressions, SizeIs(1)) << "counts only";
  EXPECT_EQ(std::get<Counter>(rules[2].expressions[0]), (Counter{3, 30}));
  EXPECT_EQ(std::get<XtTarget>(rules[3].expressions[1]).name, "REJECT");

  const auto& sub = FindChain(filter, "SUB")->rules;
  ASSERT_THAT(sub, SizeIs(2)) << "the RETURN that ends every chain is not a rule";
  EXPECT_EQ(std::get<VerdictStatement>(sub[0].expressions[1]).verdict.kind, Verdict::Kind::kReturn);
  EXPECT_EQ(std::get<VerdictStatement>(sub[1].expressions[1]).verdict.kind, Verdict::Kind::kDrop);
  EXPECT_FALSE(FindChain(filter, "SUB")->base);
  EXPECT_THAT(FindChain(filter, "EMPTY")->rules, IsEmpty());
}

TEST(LegacyReaderTest, Ipv6TablesAreReadOnTheirOwn) {
  const Namespace where;
  where.Shell("ip6tables-legacy -A OUTPUT -d 2001:db8::1 -j DROP");
  const LegacyRuleset ruleset = lab::ReadLegacy(where);
  ASSERT_THAT(ruleset.tables, SizeIs(1));
  const auto& rules = FindChain(TableNamed(ruleset, TableFamily::kIpv6, "filter"), "OUTPUT")->rules;
  ASSERT_THAT(rules, SizeIs(1));
  EXPECT_TRUE(std::get<std::shared_ptr<const IpHeaderMatch>>(rules[0].expressions[0])->ipv6);
  EXPECT_EQ(where.Shell("cat /proc/thread-self/net/ip_tables_names"), "");
}

TEST(LegacyReaderTest, TheContentHashIgnoresCountersAndNoticesEverythingElse) {
  const Namespace where;
  where.Shell("iptables-legacy -A OUTPUT -p udp -j ACCEPT");
  const auto hash = [&] { return lab::ReadLegacy(where).content_hash; };
  const auto first = hash();
  lab::SendPacket(where);
  EXPECT_EQ(hash(), first) << "traffic";
  where.Shell("iptables-legacy -R OUTPUT 1 -p udp -j DROP");
  const auto second = hash();
  EXPECT_NE(second, first) << "one verdict, nothing else: sizes and offsets are the same";
  where.Shell("iptables-legacy -P OUTPUT DROP");
  EXPECT_NE(hash(), second);
}

TEST(LegacyReaderTest, ChainsBeyondTheLimitAreMarked) {
  const Namespace where;
  where.Shell("iptables-legacy -A INPUT -j ACCEPT && iptables-legacy -A OUTPUT -j ACCEPT");
  ReaderLimits limits;
  limits.rules = 1;
  const LegacyRuleset ruleset = lab::ReadLegacy(where, limits);
  const Table& filter = ruleset.tables.at(0);
  EXPECT_EQ(FindChain(filter, "INPUT")->contents, Contents::kComplete);
  EXPECT_EQ(FindChain(filter, "OUTPUT")->contents, Contents::kTruncated);

  limits.legacy_table_bytes = 100;
  const LegacyRuleset too_large = lab::ReadLegacy(where, limits);
  EXPECT_THAT(too_large.tables, IsEmpty());
  ASSERT_THAT(too_large.unread, SizeIs(1));
  EXPECT_EQ(too_large.unread[0].table, "filter");
}

}  // namespace
}  // namespace finwait::firewall::read
