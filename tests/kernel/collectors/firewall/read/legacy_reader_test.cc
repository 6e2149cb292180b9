#include "collectors/firewall/read/legacy_reader.h"

#include <gmock/gmock.h>

#include "tests/kernel/collectors/firewall/firewall_lab.h"

namespace finwait::firewall::read {
namespace {

using lab::Namespace;
using testing::IsEmpty;
using testing::SizeIs;

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
    EXPECT_FALSE(RulePartReader(lab::HostHere(), Soon()).ReadChain(nat, "OUTPUT"));
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

}  // namespace
}  // namespace finwait::firewall::read
