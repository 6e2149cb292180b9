#include "collectors/firewall/read/legacy_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <deque>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

// What x_tables answers when something is wrong; what it answers otherwise is the kernel tests' matter.
namespace finwait::firewall::read {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kNames = "thread-self/net/ip_tables_names";

class ScriptedKernel : public LegacyKernel {
 public:
  Result<LegacyTableInfo> GetInfo(TableFamily, const std::string& table) override {
    asked.push_back(table);
    return info;
  }
  Result<std::vector<std::byte>> GetEntries(TableFamily, const std::string&, std::uint32_t) override {
    if (!failures.empty()) {
      const int code = failures.front();
      failures.pop_front();
      return FailErrno("read the rules", code);
    }
    return entries;
  }

  LegacyTableInfo info;
  std::vector<std::byte> entries;
  std::deque<int> failures;  ///< errno of the next GetEntries
  std::vector<std::string> asked;
};

class LegacyReaderFaultTest : public testing::Test {
 protected:
  LegacyReader Reader(Deadline deadline = Deadline::After(std::chrono::seconds(5))) {
    return {procfs_.Root(), kernel_, deadline};
  }
  kernel::ProcfsFixture procfs_;
  ScriptedKernel kernel_;
};

TEST_F(LegacyReaderFaultTest, ATableThatChangesEveryTimeIsUnreadAndSaysSo) {
  kernel_.failures = {EAGAIN, EAGAIN, EAGAIN, EAGAIN};
  const auto read = Reader().ReadTable(TableFamily::kIpv4, "filter", 10);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason, FailureReason::kError);
  EXPECT_THAT(read.error().message, HasSubstr("changed while it was read, 3 times in a row"));
  EXPECT_EQ(kernel_.asked.size(), 3U) << "it is tried a bounded number of times";
}

TEST_F(LegacyReaderFaultTest, AnyOtherErrorIsPassedOn) {
  kernel_.failures = {ENOMEM};
  const auto read = Reader().ReadTable(TableFamily::kIpv4, "filter", 10);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().errno_code, ENOMEM);
}

TEST_F(LegacyReaderFaultTest, AnswersThatAreNoTableAreErrorsOfThatTableAlone) {
  procfs_.Write(kNames, "nat\nfilter\n");
  kernel_.entries.resize(100);
  const LegacyRuleset ruleset = Reader().ReadAll();
  ASSERT_EQ(ruleset.unread.size(), 1U);
  EXPECT_EQ(ruleset.unread[0].table, "filter");
  ASSERT_EQ(ruleset.tables.size(), 1U);
  EXPECT_EQ(ruleset.tables[0].name, "nat");
}

TEST_F(LegacyReaderFaultTest, ATableLargerThanTheLimitIsNotFetched) {
  kernel_.info.size = 0xFFFFFFFF;
  const auto read = Reader().ReadTable(TableFamily::kIpv4, "filter", 10);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("4294967295 bytes are more than"));
}

TEST_F(LegacyReaderFaultTest, PastItsDeadlineNothingIsAsked) {
  const auto read = Reader(Deadline(SteadyClock::now())).ReadTable(TableFamily::kIpv4, "filter", 10);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason, FailureReason::kTimeout);
  EXPECT_THAT(kernel_.asked, IsEmpty());
}

TEST_F(LegacyReaderFaultTest, WithoutItsListThereAreNoTables) {
  EXPECT_THAT(Reader().ReadAll().tables, IsEmpty());
  EXPECT_THAT(kernel_.asked, IsEmpty());
}

TEST_F(LegacyReaderFaultTest, AListWithoutALastNewlineOrWithEmptyLinesIsRead) {
  procfs_.Write(kNames, "filter\n\nmangle");
  EXPECT_THAT(*Reader().TableNames(TableFamily::kIpv4), ElementsAre("filter", "mangle"));
}

TEST_F(LegacyReaderFaultTest, AGarbledListIsAnError) {
  procfs_.Write(kNames, std::string(40, 'x') + "\n");
  const auto names = Reader().TableNames(TableFamily::kIpv4);
  ASSERT_FALSE(names);
  EXPECT_THAT(names.error().message, HasSubstr("longer than the kernel allows"));
  EXPECT_THAT(kernel_.asked, IsEmpty()) << "asking for a table that is not there would make it";
}

}  // namespace
}  // namespace finwait::firewall::read
