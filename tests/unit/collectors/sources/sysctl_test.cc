#include "collectors/sources/sysctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::sources {
namespace {

using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Every file that the collector reads, each with a value of its own.
struct HostWithSettings : kernel::ProcfsFixture {
  HostWithSettings() {
    int value = 100;
    for (const char* name : {"syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait",
                             "close", "max_retrans", "unacknowledged"}) {
      Write(std::string("sys/net/netfilter/nf_conntrack_tcp_timeout_") + name, std::to_string(++value) + "\n");
    }
    Write("sys/net/netfilter/nf_conntrack_tcp_loose", "1\n");
    Write("sys/net/netfilter/nf_conntrack_tcp_be_liberal", "0\n");
    Write("sys/net/netfilter/nf_conntrack_events", "2\n");
    Write("sys/net/ipv4/tcp_keepalive_time", "7200\n");
    Write("sys/net/ipv4/tcp_keepalive_intvl", "75\n");
    Write("sys/net/ipv4/tcp_keepalive_probes", "9\n");
    Write("sys/net/ipv4/tcp_fin_timeout", "60\n");
    Write("sys/net/ipv4/tcp_orphan_retries", "5\n");
    Write("sys/net/ipv4/tcp_max_orphans", "131072\n");
  }
};

Result<Collected> CollectSysctl(const kernel::ProcfsFixture& procfs) {
  return SysctlCollector(procfs.MakeHost()).Collect(Deadline::After(seconds(5)));
}

const SysctlSample& SysctlOf(const Result<Collected>& collected) {
  return dynamic_cast<const SysctlSample&>(*collected.value().data);
}

TEST(SysctlCollector, PutsEachFileIntoItsOwnField) {
  const HostWithSettings procfs;
  const auto collected = CollectSysctl(procfs);
  ASSERT_TRUE(collected);
  EXPECT_THAT(collected->gaps, IsEmpty());
  const SysctlSample& sample = SysctlOf(collected);
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kSynSent), seconds(101));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kSynRecv), seconds(102));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kEstablished), seconds(103));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kFinWait), seconds(104));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kCloseWait), seconds(105));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kLastAck), seconds(106));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kTimeWait), seconds(107));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kClose), seconds(108));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kMaxRetrans), seconds(109));
  EXPECT_EQ(sample.Timeout(ConntrackTcpTimeout::kUnacknowledged), seconds(110));
  EXPECT_EQ(sample.conntrack_tcp_loose, 1u);
  EXPECT_EQ(sample.conntrack_tcp_be_liberal, 0u);
  EXPECT_EQ(sample.conntrack_events, 2u);
  EXPECT_EQ(sample.tcp_keepalive_time, seconds(7200));
  EXPECT_EQ(sample.tcp_keepalive_interval, seconds(75));
  EXPECT_EQ(sample.tcp_keepalive_probes, 9u);
  EXPECT_EQ(sample.tcp_fin_timeout, seconds(60));
  EXPECT_EQ(sample.tcp_orphan_retries, 5u);
  EXPECT_EQ(sample.tcp_orphans_limit, 131072u);
}

TEST(SysctlCollector, TakesAHostWithoutConntrackAsItIs) {
  const HostWithSettings procfs;
  procfs.Remove("sys/net/netfilter");
  const auto collected = CollectSysctl(procfs);
  ASSERT_TRUE(collected);
  EXPECT_THAT(collected->gaps, IsEmpty());
  EXPECT_EQ(SysctlOf(collected).Timeout(ConntrackTcpTimeout::kEstablished), std::nullopt);
  EXPECT_EQ(SysctlOf(collected).conntrack_tcp_loose, std::nullopt);
  EXPECT_EQ(SysctlOf(collected).tcp_fin_timeout, seconds(60));
}

TEST(SysctlCollector, NamesTheFileThatIsGarbledAndWhatItHolds) {
  const HostWithSettings procfs;
  const std::string file = "sys/net/netfilter/nf_conntrack_tcp_timeout_established";
  procfs.Write(file, "five days\n");
  const auto collected = CollectSysctl(procfs);
  ASSERT_TRUE(collected);
  ASSERT_THAT(collected->gaps, SizeIs(1));
  EXPECT_EQ(collected->gaps[0].reason, FailureReason::kError);
  EXPECT_EQ(collected->gaps[0].message,
            (procfs.Root() / file).string() + " holds \"five days\", not a whole number from 0 to 4294967295");
  EXPECT_EQ(SysctlOf(collected).Timeout(ConntrackTcpTimeout::kEstablished), std::nullopt);
  EXPECT_EQ(SysctlOf(collected).Timeout(ConntrackTcpTimeout::kFinWait), seconds(104));
}

TEST(SysctlCollector, RefusesWhatIsNotAPlainNumber) {
  for (const std::string& content :
       {std::string(""), std::string("\n"), std::string("-1\n"), std::string("4294967296\n"), std::string("1\n\n"),
        std::string("1\t2\n"), std::string(" 1\n"), std::string("1\0\n", 3), std::string("\xff\xfe\n"),
        std::string(4096, '9'), std::string(70'000, '1')}) {
    const HostWithSettings procfs;
    procfs.Write("sys/net/ipv4/tcp_fin_timeout", content);
    const auto collected = CollectSysctl(procfs);
    ASSERT_TRUE(collected);
    EXPECT_EQ(SysctlOf(collected).tcp_fin_timeout, std::nullopt) << content.substr(0, 20);
    ASSERT_THAT(collected->gaps, SizeIs(1));
    EXPECT_THAT(collected->gaps[0].message, HasSubstr("sys/net/ipv4/tcp_fin_timeout"));
    EXPECT_LT(collected->gaps[0].message.size(), 500u);
  }
}

TEST(SysctlCollector, TakesALastLineWithoutItsNewline) {
  const HostWithSettings procfs;
  procfs.Write("sys/net/ipv4/tcp_fin_timeout", "61");
  EXPECT_EQ(SysctlOf(CollectSysctl(procfs)).tcp_fin_timeout, seconds(61));
}

TEST(SysctlCollector, CallsAFileThatCannotBeReadAGapAndNotAbsent) {
  const HostWithSettings procfs;
  procfs.Remove("sys/net/ipv4/tcp_fin_timeout");
  std::filesystem::create_directory(procfs.Root() / "sys/net/ipv4/tcp_fin_timeout");
  const auto collected = CollectSysctl(procfs);
  ASSERT_TRUE(collected);
  ASSERT_THAT(collected->gaps, SizeIs(1));
  EXPECT_THAT(collected->gaps[0].message, EndsWith("tcp_fin_timeout: Is a directory"));
}

TEST(SysctlCollector, FailsWhereNothingIsThere) {
  const kernel::ProcfsFixture procfs;
  const auto collected = CollectSysctl(procfs);
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().reason, FailureReason::kError);
  EXPECT_THAT(collected.error().message, HasSubstr((procfs.Root() / "sys/net").string()));
  EXPECT_THAT(collected.error().message, HasSubstr("subset=pid"));
}

TEST(SysctlCollector, IsUnsupportedWhereAWholeProcfsHasNoneOfTheSettings) {
  const kernel::ProcfsFixture procfs;
  procfs.Write("sys/net/core/somaxconn", "4096\n");
  const auto collected = CollectSysctl(procfs);
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().reason, FailureReason::kUnsupported);
}

TEST(SysctlCollector, FailsWithTheFirstGapWhereNothingCouldBeRead) {
  const kernel::ProcfsFixture procfs;
  procfs.Write("sys/net/ipv4/tcp_fin_timeout", "?");
  const auto collected = CollectSysctl(procfs);
  ASSERT_FALSE(collected);
  EXPECT_THAT(collected.error().message, HasSubstr("tcp_fin_timeout holds \"?\""));
}

TEST(SysctlCollector, EndsAtItsDeadline) {
  const HostWithSettings procfs;
  const auto collected = SysctlCollector(procfs.MakeHost()).Collect(Deadline::After(seconds(0)));
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().reason, FailureReason::kTimeout);
}

}  // namespace
}  // namespace finwait::sources
