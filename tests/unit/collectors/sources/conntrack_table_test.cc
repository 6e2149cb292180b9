#include "collectors/sources/conntrack_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include "tests/unit/collectors/kernel/conntrack_messages.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::sources {
namespace {

using kernel::netlink::FakeKernel;
using kernel::netlink::MessageOf;
using testing::HasSubstr;

constexpr const char* kBuckets = "sys/net/netfilter/nf_conntrack_buckets";

class ConntrackTableTest : public testing::Test {
 protected:
  ConntrackTableTest() {
    procfs_.Write("sys/net/netfilter/nf_conntrack_count", "1\n");
    procfs_.Write(kBuckets, "1024\n");
    for (const char* state : {"established", "close_wait", "fin_wait", "last_ack"}) {
      procfs_.Write(std::string("sys/net/netfilter/nf_conntrack_tcp_timeout_") + state, "300\n");
    }
    host_ = procfs_.MakeHost();
    host_.open_channel = [this](int protocol) {
      during_the_dump_();
      return kernel_->Open(protocol);
    };
  }

  static kernel::netlink::FakeMessage Entry() {
    kernel::EventContent content;
    content.message = IPCTNL_MSG_CT_NEW;
    content.seconds_left = 200;
    return MessageOf(EventMessage(content));
  }
  Result<Collected> Collect() {
    return ConntrackTableCollector(host_).Collect(Deadline::After(std::chrono::seconds(5)));
  }

  kernel::ProcfsFixture procfs_;
  std::shared_ptr<FakeKernel> kernel_ = FakeKernel::Make();
  kernel::Host host_;
  std::function<void()> during_the_dump_ = [] {};
};

TEST_F(ConntrackTableTest, CountsWhatTheDumpHolds) {
  kernel_->Answers({Entry(), Entry(), kernel::netlink::Done()});
  const auto looked = Collect();
  ASSERT_TRUE(looked) << looked.error().message;
  EXPECT_TRUE(looked->gaps.empty());
  const auto& sample = dynamic_cast<const ConntrackTableSample&>(*looked->data);
  EXPECT_EQ(sample.flows[0].tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kEstablished)], 2U);
  EXPECT_EQ(sample.idle[0]->sum, 200);
}

TEST_F(ConntrackTableTest, ListsWhatNatChangesWhereThatIsAskedFor) {
  kernel::EventContent translated;
  translated.message = IPCTNL_MSG_CT_NEW;
  translated.status = IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY | IPS_SRC_NAT;
  translated.reply_destination = "203.0.113.9";
  kernel::EventContent closing = translated;
  closing.state = static_cast<std::uint8_t>(kernel::ConntrackTcpState::kTimeWait);
  for (const auto& [asked, number] : {std::pair(TranslatedFlows::kSkip, 0U), std::pair(TranslatedFlows::kList, 1U)}) {
    kernel_->Answers(
        {Entry(), MessageOf(EventMessage(translated)), MessageOf(EventMessage(closing)), kernel::netlink::Done()});
    const auto looked = ConntrackTableCollector(host_, {}, asked).Collect(Deadline::After(std::chrono::seconds(5)));
    ASSERT_TRUE(looked) << looked.error().message;
    const auto& sample = dynamic_cast<const ConntrackTableSample&>(*looked->data);
    ASSERT_EQ(sample.translated.size(), number);
    if (number > 0) {
      EXPECT_EQ(sample.translated[0].opener.Text(), "192.0.2.1:40000");
      EXPECT_EQ(sample.translated[0].dialled.Text(), "198.51.100.1:443");
      EXPECT_EQ(sample.translated[0].seen.Text(), "203.0.113.9:443");
      EXPECT_EQ(sample.translated[0].answerer.Text(), "198.51.100.1:40000") << "as its ports are in the message";
    }
  }
}

TEST_F(ConntrackTableTest, ATableThatIsResizedDuringTheDumpIsSaidToBe) {
  kernel_->Answers({Entry(), kernel::netlink::Done()});
  during_the_dump_ = [this] { procfs_.Write(kBuckets, "2048\n"); };
  const auto looked = Collect();
  ASSERT_TRUE(looked) << looked.error().message;
  EXPECT_TRUE(dynamic_cast<const ConntrackTableSample&>(*looked->data).torn);
  ASSERT_EQ(looked->gaps.size(), 1U);
  EXPECT_THAT(looked->gaps[0].message, HasSubstr("resized"));
}

TEST_F(ConntrackTableTest, ADumpThatIsTornEveryTimeCountsTheLastAttemptAlone) {
  kernel::netlink::FakeMessage interrupted = Entry();
  interrupted.flags |= NLM_F_DUMP_INTR;
  for (int attempt = 0; attempt < kernel::netlink::Channel::kDumpAttempts; ++attempt) {
    kernel_->Answers({interrupted});
    kernel_->Answers({kernel::netlink::Done()});
  }
  const auto looked = Collect();
  ASSERT_TRUE(looked) << looked.error().message;
  EXPECT_EQ(looked->gaps.size(), 1U);
  const auto& sample = dynamic_cast<const ConntrackTableSample&>(*looked->data);
  EXPECT_EQ(sample.flows[0].tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kEstablished)], 1U);
}

TEST_F(ConntrackTableTest, WithoutTheCapabilityItSaysWhichOne) {
  kernel_->Answers({kernel::netlink::ErrorMessage(-EPERM)});
  const auto looked = Collect();
  ASSERT_FALSE(looked);
  EXPECT_EQ(looked.error().reason, FailureReason::kPermission);
  EXPECT_THAT(looked.error().message, HasSubstr("CAP_NET_ADMIN"));
}

TEST_F(ConntrackTableTest, WithoutConntrackNothingIsAsked) {
  procfs_.Remove("sys/net/netfilter");
  const auto looked = Collect();
  ASSERT_FALSE(looked);
  EXPECT_EQ(looked.error().reason, FailureReason::kUnsupported);
  EXPECT_TRUE(kernel_->Sent().empty());
}

TEST_F(ConntrackTableTest, WhereAskingWouldLoadAModuleNothingIsAskedAndItsNameIsTold) {
  for (const kernel::FeatureState state : {kernel::FeatureState::kAbsent, kernel::FeatureState::kUnknown}) {
    host_.find_feature = [state](const kernel::KernelFeature& feature) {
      return feature.module == kernel::kConntrackNetlink.module ? state : kernel::FeatureState::kSafeToAsk;
    };
    const auto looked = Collect();
    ASSERT_FALSE(looked);
    EXPECT_EQ(looked.error().reason, FailureReason::kUnsupported);
    EXPECT_THAT(looked.error().message, HasSubstr("`modprobe nf_conntrack_netlink`"));
    EXPECT_TRUE(kernel_->Sent().empty());
  }
}

// With somebody who walks the table.
class WalkedTableTest : public ConntrackTableTest {
 protected:
  static constexpr auto kDump = static_cast<std::size_t>(TableReader::kDump);
  static constexpr auto kWalk = static_cast<std::size_t>(TableReader::kWalk);

  WalkedTableTest() {
    walked_.kind = witness::WalkResult::Kind::kTold;
    walked_.table.tcp[0][static_cast<std::size_t>(kernel::ConntrackTcpState::kEstablished)] = 1;
    walked_.table.idle[0].sum = 100;
    walked_.table.idle[0].counts[2] = 1;
    walked_.table.remaining[0].sum = 200;
    walked_.table.remaining[0].counts[2] = 1;
    walked_.cpu = std::chrono::milliseconds(3);
  }
  Result<Collected> CollectBoth() {
    if (!collector_) {
      collector_.emplace(host_, shared_, translated_, [this](const witness::LiveTimeouts& timeouts, Deadline) {
        timeouts_ = timeouts;
        ++asked_;
        return walked_or_not_ ? Result<witness::WalkResult>(Failure(*walked_or_not_)) : walked_;
      });
    }
    kernel_->Answers({Entry(), kernel::netlink::Done()});
    auto collected = collector_->Collect(Deadline::After(std::chrono::seconds(5)));
    EXPECT_TRUE(collected) << collected.error().message;
    return collected;
  }
  static ConntrackTableSample SampleOf(const Result<Collected>& collected) {
    return collected ? dynamic_cast<const ConntrackTableSample&>(*collected->data) : ConntrackTableSample();
  }

  witness::WalkResult walked_;
  std::optional<Error> walked_or_not_;
  SharedReads shared_;
  TranslatedFlows translated_ = TranslatedFlows::kSkip;
  std::optional<ConntrackTableCollector> collector_;
  witness::LiveTimeouts timeouts_ = {};
  int asked_ = 0;
};

TEST_F(WalkedTableTest, AWalkIsHeldAgainstADumpAndBelievedFromThenOn) {
  auto collected = CollectBoth();
  EXPECT_EQ(SampleOf(collected).reads[kDump], 1U);
  EXPECT_EQ(collected->spent_elsewhere, std::chrono::milliseconds(3));
  collected = CollectBoth();
  const ConntrackTableSample sample = SampleOf(collected);
  EXPECT_TRUE(collected->gaps.empty());
  EXPECT_EQ(sample.reads[kDump], 1U);
  EXPECT_EQ(sample.reads[kWalk], 2U);
  EXPECT_EQ(sample.flows[0].tcp[static_cast<std::size_t>(kernel::ConntrackTcpState::kEstablished)], 1U);
  EXPECT_EQ(sample.idle[0]->sum, 100);
  EXPECT_EQ(sample.remaining[0].counts[2], 1U);
  EXPECT_EQ(timeouts_, (witness::LiveTimeouts{300, 300, 300, 300}));
}

TEST_F(WalkedTableTest, NowAndThenItIsHeldAgainstADumpAgain) {
  for (int i = 0; i < 1 + WalkTrust::kBetweenChecks; ++i) {
    EXPECT_EQ(SampleOf(CollectBoth()).reads[kDump], 1U);
  }
  EXPECT_EQ(SampleOf(CollectBoth()).reads[kDump], 2U);
}

TEST_F(WalkedTableTest, OneThatDisagreesTwiceIsBelievedNoMore) {
  walked_.table.udp[0] = 1000;
  EXPECT_TRUE(CollectBoth()->gaps.empty());
  EXPECT_TRUE(CollectBoth()->gaps.empty());
  const auto collected = CollectBoth();
  EXPECT_EQ(asked_, 2);
  ASSERT_EQ(collected->gaps.size(), 1U);
  EXPECT_THAT(collected->gaps[0].message, HasSubstr("did not agree"));
  EXPECT_EQ(SampleOf(collected).flows[0].udp, 0U);
  EXPECT_EQ(SampleOf(collected).reads[kDump], 3U);
}

TEST_F(WalkedTableTest, OneThatDisagreesOnceIsHeldAgainstADumpAtOnce) {
  walked_.table.udp[0] = 1000;
  CollectBoth();
  walked_.table.udp[0] = 0;
  EXPECT_EQ(SampleOf(CollectBoth()).reads[kDump], 2U);
  EXPECT_EQ(SampleOf(CollectBoth()).reads[kDump], 2U);
}

TEST_F(WalkedTableTest, WithoutAWalkTheTableIsDumpedAndItSaysWhy) {
  walked_or_not_ = Error{FailureReason::kPermission, 0, "it takes CAP_BPF"};
  const auto collected = CollectBoth();
  ASSERT_EQ(collected->gaps.size(), 1U);
  EXPECT_EQ(collected->gaps[0].reason, FailureReason::kPermission);
  EXPECT_EQ(collected->gaps[0].message, "it takes CAP_BPF; the conntrack table is dumped instead");
  EXPECT_EQ(SampleOf(collected).idle[0]->sum, 100);
}

TEST_F(WalkedTableTest, AWalkThatDoesNotHoldIsADumpWithoutAWord) {
  for (const auto kind : {witness::WalkResult::Kind::kTorn, witness::WalkResult::Kind::kNotYet}) {
    walked_.kind = kind;
    const auto collected = CollectBoth();
    EXPECT_TRUE(collected->gaps.empty());
    EXPECT_EQ(SampleOf(collected).reads[kWalk], 0U);
  }
}

TEST_F(WalkedTableTest, MoreZonesThanItCanTellTakeADump) {
  walked_.table.zone_count = FINWAIT_TABLE_ZONES + 1;
  EXPECT_EQ(SampleOf(CollectBoth()).reads[kWalk], 0U);
}

TEST_F(WalkedTableTest, ItsZonesAreKnownToOthers) {
  walked_.table.zone_count = 1;
  walked_.table.zones[0] = 5;
  CollectBoth();
  EXPECT_TRUE(shared_.zones->Get().empty()) << "the dump's";
  CollectBoth();
  EXPECT_EQ(shared_.zones->Get(), (kernel::ConntrackZones{5}));
}

TEST_F(WalkedTableTest, WhereEntriesMustBeListedNoWalkIsMade) {
  translated_ = TranslatedFlows::kList;
  CollectBoth();
  EXPECT_EQ(asked_, 0);
}

// The idle age of an entry hangs on its ends then, which no walk tells.
TEST_F(WalkedTableTest, WhereSocketsShowTimeoutsOfTheirOwnNoWalkIsMade) {
  SysctlSample settings;
  settings.conntrack_tcp_timeouts[static_cast<std::size_t>(ConntrackTcpTimeout::kEstablished)] =
      std::chrono::seconds(300);
  const auto show = [&](std::uint32_t remaining) {
    kernel::TcpSocket socket;
    socket.local = *Endpoint::Parse("192.0.2.1:40000");
    socket.peer = *Endpoint::Parse("198.51.100.1:443");
    socket.idle = std::chrono::seconds(0);
    socket.entry.tracking = kernel::Tracking::kTracked;
    socket.entry.state = kernel::ConntrackTcpState::kEstablished;
    socket.entry.remaining_seconds = remaining;
    const kernel::SocketTable sockets = {socket};
    shared_.own_timeouts->Set(std::make_shared<const OwnTimeouts>(sockets, settings));
  };
  show(300);
  CollectBoth();
  EXPECT_EQ(asked_, 1) << "the sysctl's is nobody's own";
  show(1000);
  const auto collected = CollectBoth();
  EXPECT_EQ(asked_, 1);
  EXPECT_TRUE(collected->gaps.empty()) << "nothing is missing";
  const ConntrackTableSample sample = SampleOf(collected);
  EXPECT_EQ(sample.reads[kDump], 2U);
  EXPECT_EQ(sample.reads[kWalk], 1U);
  EXPECT_EQ(sample.idle[0]->sum, 800) << "by the timeout of its own";
  show(300);
  EXPECT_EQ(SampleOf(CollectBoth()).reads[kWalk], 2U) << "the policy has gone";
}

TEST_F(WalkedTableTest, WhereTheDumpTakesTooLongTheWalkIsTaken) {
  kernel_->Answers({kernel::netlink::ErrorMessage(-ETIMEDOUT)});
  const auto collected = CollectBoth();
  ASSERT_EQ(collected->gaps.size(), 1U);
  EXPECT_EQ(collected->gaps[0].reason, FailureReason::kTimeout);
  EXPECT_EQ(SampleOf(collected).reads[kDump], 0U);
  EXPECT_EQ(SampleOf(collected).remaining[0].sum, 200);
}

TEST(AgreeTest, NumbersMayDifferByATwentiethOfTheTable) {
  ConntrackTableSample dumped;
  dumped.flows[1].tcp[3] = 10'000;
  ConntrackTableSample walked = dumped;
  walked.flows[1].tcp[3] = 9'500;
  EXPECT_TRUE(Agree(walked, dumped));
  walked.flows[1].tcp[3] = 9'400;
  EXPECT_FALSE(Agree(walked, dumped));
  walked = dumped;
  walked.remaining[2].counts[4] = 1000;
  EXPECT_FALSE(Agree(walked, dumped)) << "an age";
  walked = dumped;
  walked.evictable = 1000;
  EXPECT_FALSE(Agree(walked, dumped));
}

}  // namespace
}  // namespace finwait::sources
