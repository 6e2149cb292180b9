#include "collectors/sources/conntrack_stats.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cerrno>

#include "tests/unit/collectors/kernel/netlink/fake_transport.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::sources {
namespace {

using kernel::netlink::FakeKernel;
using kernel::netlink::FakeMessage;
using testing::HasSubstr;

// What one CPU has counted.
FakeMessage Cpu(std::uint16_t cpu, std::uint32_t invalid) {
  kernel::netlink::Request message(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU));
  message.Header(nfgenmsg{0, NFNETLINK_V0, htons(cpu)}).PutBigEndian32(CTA_STATS_INVALID, invalid);
  return kernel::netlink::MessageOf(message);
}

class ConntrackStatsFaultTest : public testing::Test {
 protected:
  ConntrackStatsFaultTest() {
    for (const char* file : {"nf_conntrack_count", "nf_conntrack_max", "nf_conntrack_buckets"}) {
      procfs_.Write(std::string("sys/net/netfilter/") + file, "7\n");
    }
    kernel::Host host = procfs_.MakeHost();
    host.open_channel = [this](int protocol) { return kernel_->Open(protocol); };
    collector_.emplace(host);
  }
  Result<Collected> Collect() { return collector_->Collect(Deadline::After(std::chrono::seconds(5))); }
  static std::optional<std::uint64_t> Invalid(const Result<Collected>& looked) {
    return dynamic_cast<const ConntrackStatsSample&>(*looked->data)
        .counters[static_cast<std::size_t>(ConntrackStat::kInvalid)];
  }

  kernel::ProcfsFixture procfs_;
  std::shared_ptr<FakeKernel> kernel_ = FakeKernel::Make();
  std::optional<ConntrackStatsCollector> collector_;
};

TEST_F(ConntrackStatsFaultTest, ATornDumpThatMissesACpuTakesNothingBack) {
  kernel_->Answers({Cpu(0, 10), Cpu(1, 5), kernel::netlink::Done()});
  EXPECT_EQ(Invalid(Collect()), 15U);
  for (int attempt = 0; attempt < kernel::netlink::Channel::kDumpAttempts; ++attempt) {
    kernel_->FailsToReceive(ENOBUFS);
    kernel_->Answers({Cpu(0, 11), kernel::netlink::Done()});
  }
  EXPECT_EQ(Invalid(Collect()), 16U);
  kernel_->Answers({Cpu(0, 11), Cpu(1, 6), kernel::netlink::Done()});
  EXPECT_EQ(Invalid(Collect()), 17U);
}

TEST_F(ConntrackStatsFaultTest, ACpuThatIsToldOfTwiceCountsOnce) {
  kernel_->Answers({Cpu(0, 10), Cpu(0, 10), kernel::netlink::Done()});
  EXPECT_EQ(Invalid(Collect()), 10U);
}

TEST_F(ConntrackStatsFaultTest, AMalformedAnswerIsAGapAndTheTableSizeIsStillThere) {
  kernel_->Answers({Cpu(0xFFFF, 1), kernel::netlink::Done()});
  const auto looked = Collect();
  ASSERT_TRUE(looked);
  EXPECT_EQ(Invalid(looked), std::nullopt) << "blind, not 0";
  EXPECT_EQ(dynamic_cast<const ConntrackStatsSample&>(*looked->data).entries, 7U);
  ASSERT_EQ(looked->gaps.size(), 1U);
  EXPECT_THAT(looked->gaps[0].message, HasSubstr("malformed"));
}

TEST_F(ConntrackStatsFaultTest, ASizeThatIsGarbledIsAGapThatQuotesIt) {
  procfs_.Write("sys/net/netfilter/nf_conntrack_max", "many\n");
  kernel_->Answers({Cpu(0, 1), kernel::netlink::Done()});
  const auto looked = Collect();
  ASSERT_TRUE(looked);
  EXPECT_EQ(dynamic_cast<const ConntrackStatsSample&>(*looked->data).entries_limit, std::nullopt);
  ASSERT_EQ(looked->gaps.size(), 1U);
  EXPECT_THAT(looked->gaps[0].message, HasSubstr("many"));
}

}  // namespace
}  // namespace finwait::sources
