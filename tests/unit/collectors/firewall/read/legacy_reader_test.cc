#include "collectors/firewall/read/legacy_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <thread>

#include "tests/recording/case.h"
#include "tests/recording/rule_source.h"
#include "tests/recording/rules_record.h"
#include "tests/unit/collectors/firewall/read/replayed.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

// What x_tables answers when something is wrong, and what the reader makes of what a kernel sent (tests/cases/read).
namespace finwait::firewall::read {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

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

TEST_F(LegacyReaderFaultTest, AListThatIsNoFileIsAnErrorAndAsksForNothing) {
  procfs_.Write(std::string(kNames) + "/inside", "");  // a folder: it opens, and cannot be read
  const auto names = Reader().TableNames(TableFamily::kIpv4);
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().errno_code, EISDIR);
  const LegacyRuleset ruleset = Reader().ReadAll();
  ASSERT_THAT(ruleset.unread, SizeIs(1));
  EXPECT_EQ(ruleset.unread[0].family, TableFamily::kIpv4);
  EXPECT_EQ(ruleset.unread[0].table, "");
  EXPECT_THAT(kernel_.asked, IsEmpty());
}

TEST_F(LegacyReaderFaultTest, AListThatLeadsInACircleIsAnError) {
  std::filesystem::create_directories(procfs_.Root() / "thread-self/net");
  std::filesystem::create_symlink("ip6_tables_names", procfs_.Root() / "thread-self/net/ip6_tables_names");
  const auto names = Reader().TableNames(TableFamily::kIpv6);
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().errno_code, ELOOP);
  EXPECT_THAT(names.error().message, HasSubstr("ip6_tables_names"));
}

TEST_F(LegacyReaderFaultTest, ATableThatIsRefusedIsUnreadAndTheOthersAreRead) {
  procfs_.Write(kNames, "mine\nnat\n");
  kernel_.failures = {EPERM};
  const LegacyRuleset ruleset = Reader().ReadAll();
  ASSERT_THAT(ruleset.unread, SizeIs(1));
  EXPECT_EQ(ruleset.unread[0].table, "mine");
  EXPECT_EQ(ruleset.unread[0].error.reason, FailureReason::kPermission);
  EXPECT_THAT(ruleset.tables, SizeIs(1));
}

// How getsockopt() and socket() answer in one thread: by errno, or (0) that all is well, without having written
// anything. The kernel itself would make the table that it is asked for.
bool AnswerCall(long number, int code) {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {static_cast<unsigned short>(std::size(steps)), steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// What `ask` gives on a thread where the system call is answered so.
template <typename Ask>
auto WithCallAnswered(long number, int code, const Ask& ask) {
  std::optional<decltype(ask())> answer;
  std::thread([&] {
    if (AnswerCall(number, code)) {
      answer = ask();
    }
  }).join();
  if (!answer) {
    throw std::runtime_error("no filter of system calls can be had");
  }
  return *answer;
}

auto InfoWith(long number, int code, TableFamily family) {
  return WithCallAnswered(number, code, [&] { return SocketLegacyKernel().GetInfo(family, "filter"); });
}
auto EntriesWith(long number, int code, TableFamily family) {
  return WithCallAnswered(number, code, [&] { return SocketLegacyKernel().GetEntries(family, "filter", 500); });
}

TEST(SocketLegacyKernelTest, WithoutTheCapabilityItSaysWhichOneToGive) {
  const auto info = InfoWith(SYS_getsockopt, EPERM, TableFamily::kIpv4);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().reason, FailureReason::kPermission);
  EXPECT_EQ(info.error().message,
            "read iptables-legacy table filter: Operation not permitted; give the capability CAP_NET_ADMIN");
  const auto entries = EntriesWith(SYS_getsockopt, EPERM, TableFamily::kIpv6);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().message,
            "read the rules of ip6tables-legacy table filter: Operation not permitted; give the capability "
            "CAP_NET_ADMIN");
}

TEST(SocketLegacyKernelTest, ATableThatCameAfterTheProgramsFilterNeedsARestart) {
  for (const long number : {SYS_getsockopt, SYS_socket}) {
    const auto info = InfoWith(number, ENOSYS, TableFamily::kIpv6);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().reason, FailureReason::kError);
    EXPECT_THAT(info.error().message, HasSubstr("restart finwait_exporter to see its rules"));
  }
}

TEST(SocketLegacyKernelTest, AnyOtherErrorIsPassedOnWithItsNumber) {
  EXPECT_EQ(InfoWith(SYS_getsockopt, ENOENT, TableFamily::kIpv4).error().errno_code, ENOENT);
  EXPECT_EQ(InfoWith(SYS_socket, EMFILE, TableFamily::kIpv4).error().errno_code, EMFILE);
  const auto changed = EntriesWith(SYS_getsockopt, EAGAIN, TableFamily::kIpv4);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().errno_code, EAGAIN) << "by which the reader knows to ask again";
}

TEST(SocketLegacyKernelTest, AnAnswersEntriesAreWhatStandsBehindItsHead) {
  const auto entries = EntriesWith(SYS_getsockopt, 0, TableFamily::kIpv4);
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  EXPECT_EQ(*entries, std::vector<std::byte>(500));
  const auto info = InfoWith(SYS_getsockopt, 0, TableFamily::kIpv4);
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ(info->size, 0U);
  EXPECT_EQ(info->valid_hooks, 0U);
}

TEST_F(LegacyReaderFaultTest, AGarbledListIsAnError) {
  procfs_.Write(kNames, std::string(40, 'x') + "\n");
  const auto names = Reader().TableNames(TableFamily::kIpv4);
  ASSERT_FALSE(names);
  EXPECT_THAT(names.error().message, HasSubstr("longer than the kernel allows"));
  EXPECT_THAT(kernel_.asked, IsEmpty()) << "asking for a table that is not there would make it";
}

const Table& LegacyTableNamed(const LegacyRuleset& ruleset, TableFamily family, std::string_view name) {
  for (const Table& table : ruleset.tables) {
    if (table.family == family && table.name == name) {
      return table;
    }
  }
  throw std::runtime_error("no table " + std::string(name));
}

TEST(LegacyReaderTest, TablesCarryTheirHooksPrioritiesPoliciesAndCounters) {
  recording::RuleSource source = Replayed("legacy_tables");
  const LegacyRuleset ruleset = source.ReadLegacy();
  const Table& filter = LegacyTableNamed(ruleset, TableFamily::kIpv4, "filter");
  EXPECT_EQ(filter.backend, Backend::kLegacy);
  EXPECT_THAT(filter.chains, SizeIs(3));
  const BaseChain& input = *FindChain(filter, "INPUT")->base;
  EXPECT_EQ(input.hook, Hook::kInput);
  EXPECT_EQ(input.priority, 0);
  EXPECT_TRUE(input.policy_drop);
  EXPECT_EQ(input.policy_counter, (Counter{3, 300}));
  EXPECT_EQ(FindChain(filter, "FORWARD")->base->policy_counter, (Counter{4, 400}));
  EXPECT_FALSE(FindChain(filter, "OUTPUT")->base->policy_drop);

  const BaseChain& mangle = *FindChain(LegacyTableNamed(ruleset, TableFamily::kIpv4, "mangle"), "OUTPUT")->base;
  EXPECT_EQ(mangle.priority, -150);
  EXPECT_EQ(mangle.type, ChainType::kRoute);
  EXPECT_TRUE(mangle.policy_drop);

  const Table& nat = LegacyTableNamed(ruleset, TableFamily::kIpv4, "nat");
  EXPECT_THAT(nat.chains, SizeIs(4));
  const Chain& output = *FindChain(nat, "OUTPUT");
  EXPECT_EQ(output.contents, Contents::kNotRead);
  EXPECT_EQ(output.base->type, ChainType::kNat);
  EXPECT_EQ(output.base->priority, -100);
  EXPECT_EQ(FindChain(nat, "POSTROUTING")->base->priority, 100);
  EXPECT_THAT(source.Resolver().ReadChain(nat, "OUTPUT").value()->rules, SizeIs(1));
}

TEST(LegacyReaderTest, RulesCarryTheirHeaderMatchesCounterAndVerdict) {
  const LegacyRuleset ruleset = Replayed("legacy_rules").ReadLegacy();
  const Table& filter = LegacyTableNamed(ruleset, TableFamily::kIpv4, "filter");
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
  const LegacyRuleset ruleset = Replayed("legacy_ipv6").ReadLegacy();
  ASSERT_THAT(ruleset.tables, SizeIs(1));
  const auto& rules = FindChain(LegacyTableNamed(ruleset, TableFamily::kIpv6, "filter"), "OUTPUT")->rules;
  ASSERT_THAT(rules, SizeIs(1));
  EXPECT_TRUE(std::get<std::shared_ptr<const IpHeaderMatch>>(rules[0].expressions[0])->ipv6);
}

TEST(LegacyReaderTest, ChainsBeyondTheLimitAreMarked) {
  ReaderLimits limits;
  limits.rules = 1;
  const LegacyRuleset ruleset = Replayed("legacy_bounds").ReadLegacy(limits);
  const Table& filter = ruleset.tables.at(0);
  EXPECT_EQ(FindChain(filter, "INPUT")->contents, Contents::kComplete);
  EXPECT_EQ(FindChain(filter, "OUTPUT")->contents, Contents::kTruncated);

  limits.legacy_table_bytes = 100;
  const LegacyRuleset too_large = Replayed("legacy_bounds").ReadLegacy(limits);
  EXPECT_THAT(too_large.tables, IsEmpty());
  ASSERT_THAT(too_large.unread, SizeIs(1));
  EXPECT_EQ(too_large.unread[0].table, "filter");
}

}  // namespace
}  // namespace finwait::firewall::read
