#include "collectors/firewall/read/legacy_presence.h"

#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::firewall::read {
namespace {

TEST(LegacyPresenceTest, ATableOfOneFamilyIsNoneOfTheOther) {
  const kernel::ProcfsFixture procfs;
  procfs.Write("thread-self/net/ip6_tables_names", "filter\n");
  procfs.Write("thread-self/net/ip_tables_names", "");
  EXPECT_TRUE(HasLegacyTables(procfs.Root(), TableFamily::kIpv6));
  EXPECT_FALSE(HasLegacyTables(procfs.Root(), TableFamily::kIpv4)) << "x_tables is there, and no table";
}

TEST(LegacyPresenceTest, WhereTheListIsNotThereOrCannotBeReadThereIsNone) {
  const kernel::ProcfsFixture procfs;
  EXPECT_FALSE(HasLegacyTables(procfs.Root(), TableFamily::kIpv4));
  procfs.Write("thread-self/net/ip_tables_names", std::string(100, 'x'));
  EXPECT_FALSE(HasLegacyTables(procfs.Root(), TableFamily::kIpv4));
}

}  // namespace
}  // namespace finwait::firewall::read
