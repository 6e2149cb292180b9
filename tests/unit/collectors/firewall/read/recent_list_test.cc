#include "collectors/firewall/read/recent_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectors/kernel/procfs.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::firewall::read {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class RecentListTest : public testing::Test {
 protected:
  Result<facts::RecentList> Read(const std::string& list = "bad") const {
    return ReadRecentList(procfs_.MakeHost(), list, Deadline::After(std::chrono::seconds(5)));
  }
  void Holds(std::string_view lines) const { procfs_.Write("thread-self/net/xt_recent/bad", lines); }
  static IpAddress Address(const char* text) { return *IpAddress::Parse(text); }

  kernel::ProcfsFixture procfs_;
};

TEST_F(RecentListTest, EachAddressHasItsTimeToLiveAndItsPackets) {
  Holds(
      "src=192.0.2.2 ttl: 64 last_seen: 4295123456 oldest_pkt: 2 4295123400, 4295123456\n"
      "src=2001:0db8:0000:0000:0000:0000:0000:0001 ttl: 0 last_seen: 7 oldest_pkt: 1 7\n");
  const auto list = Read();
  ASSERT_TRUE(list.has_value()) << list.error().message;
  EXPECT_THAT(list->entries, UnorderedElementsAre(Pair(Address("192.0.2.2"), facts::RecentEntry{64, 2}),
                                                  Pair(Address("2001:db8::1"), facts::RecentEntry{0, 1})));
}

TEST_F(RecentListTest, AnEmptyListHoldsNothing) {
  Holds("");
  EXPECT_TRUE(Read()->entries.empty());
}

TEST_F(RecentListTest, AListOfTooManyAddressesIsNotRead) {
  std::string lines;
  for (std::size_t i = 0; i <= kMostRecent; ++i) {
    lines += "src=10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) +
             " ttl: 64 last_seen: 1 oldest_pkt: 1 1\n";
  }
  Holds(lines);
  const auto list = Read();
  ASSERT_FALSE(list);
  EXPECT_THAT(list.error().message, HasSubstr("xt_recent/bad: it has more than"));
}

TEST_F(RecentListTest, ALineOfAnotherFormIsAnErrorThatNamesTheFile) {
  for (const char* line :
       {"src=nobody ttl: 64 last_seen: 1 oldest_pkt: 1 1\n", "dst=192.0.2.2 ttl: 64 last_seen: 1 oldest_pkt: 1 1\n",
        "src=192.0.2.2 ttl: 256 last_seen: 1 oldest_pkt: 1 1\n", "src=192.0.2.2 ttl: 64 last_seen: 1 newest_pkt: 1 1\n",
        "src=192.0.2.2 ttl: 64 last_seen: 1 oldest_pkt:\n"}) {
    Holds(line);
    const auto list = Read();
    ASSERT_FALSE(list) << line;
    EXPECT_EQ(list.error().reason, FailureReason::kError);
    EXPECT_THAT(list.error().message, HasSubstr("xt_recent/bad: a line of an unknown form"));
  }
}

TEST_F(RecentListTest, AListThatIsNotThereIsAnErrorOfTheSystem) {
  const auto list = Read();
  ASSERT_FALSE(list);
  EXPECT_TRUE(kernel::IsAbsent(list.error()));
}

TEST_F(RecentListTest, ANameThatWouldLeadElsewhereIsNotOpened) {
  procfs_.Write("thread-self/net/secret", "src=192.0.2.2 ttl: 64 last_seen: 1 oldest_pkt: 1 1\n");
  for (const char* name : {"", ".", "..", "../secret", "a/b"}) {
    const auto list = Read(name);
    ASSERT_FALSE(list) << name;
    EXPECT_EQ(list.error().reason, FailureReason::kUnsupported);
    EXPECT_EQ(list.error().message, "a list of recent addresses has a name that is no file's");
  }
}

}  // namespace
}  // namespace finwait::firewall::read
