#include "collectors/sources/conntrack_events.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>

#include <atomic>
#include <cerrno>

#include "tests/lab/connection.h"
#include "tests/unit/collectors/kernel/conntrack_messages.h"
#include "tests/unit/collectors/kernel/netlink/fake_events.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::sources {
namespace {

using kernel::netlink::FakeEvents;
using kernel::netlink::FakeKernel;
using kernel::netlink::FakeMessage;
using kernel::netlink::MessageOf;
using lab::Eventually;

// Positions in kLiveConntrackStates, and in kExpiryScopes.
enum { kEstablished, kCloseWait, kFinWait, kLastAck };
enum { kLocal, kForwarded };

FakeMessage Expiry(kernel::ConntrackTcpState state = kernel::ConntrackTcpState::kEstablished,
                   const std::string& from = "192.0.2.1", const std::string& to = "198.51.100.1") {
  kernel::EventContent content;
  content.state = static_cast<std::uint8_t>(state);
  content.source = content.reply_destination = from;
  content.destination = content.reply_source = to;
  return MessageOf(EventMessage(content));
}

// A host whose own address is 192.0.2.1, with conntrack and its events.
struct ConntrackEventsTest : testing::Test {
  ConntrackEventsTest() {
    procfs.Write("sys/net/netfilter/nf_conntrack_count", "0\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_events", "2\n");
    host = procfs.MakeHost();
    host.open_channel = [](int protocol) {
      auto kernel = FakeKernel::Make();
      kernel->Answers({MessageOf(kernel::AddressMessage("192.0.2.1")), kernel::netlink::Done()});
      return kernel->Open(protocol);
    };
    host.open_events = [this](const kernel::netlink::Subscription& subscription) {
      if (subscription.protocol == NETLINK_ROUTE) {
        return addresses->Open(subscription);
      }
      if (subscription.groups == std::vector<unsigned>{NFNLGRP_CONNTRACK_NEW}) {
        return creations->Open(subscription);
      }
      return refusal != 0 ? Result<std::unique_ptr<kernel::netlink::EventSource>>(FailErrno("subscribe", refusal))
                          : events->Open(subscription);
    };
    collector = std::make_unique<ConntrackEventsCollector>(host, limits);
  }

  // A listener that looks at the making of entries all the time, and has to pause at the first.
  void PausesAtOnce(SteadyClock::duration reserve) {
    limits.check_interval = limits.check_length = std::chrono::milliseconds(1);
    limits.core_share = 1e-12;
    limits.reserve = reserve;
    collector = std::make_unique<ConntrackEventsCollector>(host, limits);
    Collect();
  }

  Result<Collected> TryCollect() { return collector->Collect(Deadline::After(std::chrono::seconds(5))); }
  // A look that succeeds, once the listener has handled all that was told.
  kernel::ExpiryCounts Collect() {
    auto collected = TryCollect();
    EXPECT_TRUE(Eventually([&] { return events->AllTaken(); }));
    collected = TryCollect();
    EXPECT_TRUE(collected.has_value()) << (collected ? "" : collected.error().message);
    return collected ? dynamic_cast<const ConntrackEventsSample&>(*collected->data).counts : kernel::ExpiryCounts();
  }
  // The error of the first look that fails.
  Error Failing() {
    Error error;
    EXPECT_TRUE(Eventually([&] {
      const auto collected = TryCollect();
      error = collected ? Error() : collected.error();
      return !collected.has_value();
    }));
    return error;
  }

  kernel::ProcfsFixture procfs;
  kernel::Host host;
  kernel::ListeningLimits limits;
  std::atomic<int> refusal = 0;
  std::shared_ptr<FakeEvents> events = FakeEvents::Make();
  std::shared_ptr<FakeEvents> addresses = FakeEvents::Make();
  std::shared_ptr<FakeEvents> creations = FakeEvents::Make();
  std::unique_ptr<ConntrackEventsCollector> collector;
};

TEST_F(ConntrackEventsTest, SubscribesToDestroyedEntriesOnlyAndWithItsFilter) {
  Collect();
  ASSERT_EQ(events->Subscriptions().size(), 1U);
  const kernel::netlink::Subscription subscription = events->Subscriptions()[0];
  EXPECT_EQ(subscription.protocol, NETLINK_NETFILTER);
  EXPECT_EQ(subscription.groups, std::vector<unsigned>{NFNLGRP_CONNTRACK_DESTROY});
  EXPECT_FALSE(subscription.filter.empty());
  Collect();
  EXPECT_EQ(events->Subscriptions().size(), 1U) << "one subscription serves all looks";
}

TEST_F(ConntrackEventsTest, CountsEachStateAndScopeFromZeroAndNeverBackwards) {
  const kernel::ExpiryCounts first = Collect();
  for (const auto& scopes : first.expired) {
    EXPECT_EQ(scopes[kLocal] + scopes[kForwarded], 0U);
  }
  events->Tells({Expiry(), Expiry(kernel::ConntrackTcpState::kCloseWait)});
  events->Tells({Expiry(kernel::ConntrackTcpState::kFinWait)});
  events->Tells({Expiry(kernel::ConntrackTcpState::kLastAck, "198.51.100.7", "198.51.100.8")});
  const kernel::ExpiryCounts second = Collect();
  EXPECT_EQ(second.expired[kEstablished][kLocal], 1U);
  EXPECT_EQ(second.expired[kCloseWait][kLocal], 1U);
  EXPECT_EQ(second.expired[kFinWait][kLocal], 1U);
  EXPECT_EQ(second.expired[kLastAck][kForwarded], 1U);
  EXPECT_EQ(second.expired[kLastAck][kLocal], 0U);
  events->Tells({Expiry()});
  EXPECT_EQ(Collect().expired[kEstablished][kLocal], 2U);
  EXPECT_EQ(Collect().losses, 0U);
}

TEST_F(ConntrackEventsTest, AnAddressThatIsNewCountsAtOnce) {
  Collect();
  addresses->Tells({MessageOf(kernel::AddressMessage("192.0.2.50"))});
  events->Tells({Expiry(kernel::ConntrackTcpState::kEstablished, "192.0.2.50", "198.51.100.1")});
  const kernel::ExpiryCounts counts = Collect();
  EXPECT_EQ(counts.expired[kEstablished][kLocal], 1U);
  EXPECT_EQ(counts.expired[kEstablished][kForwarded], 0U);
}

TEST_F(ConntrackEventsTest, CountsAnOverrunOnceAndGoesOn) {
  Collect();
  events->Tells({Expiry()});
  events->Fails(ENOBUFS);
  events->Tells({Expiry()});
  const kernel::ExpiryCounts counts = Collect();
  EXPECT_EQ(counts.losses, 1U);
  EXPECT_EQ(counts.expired[kEstablished][kLocal], 2U);
}

TEST_F(ConntrackEventsTest, IgnoresWhatDoesNotComeFromTheKernel) {
  Collect();
  events->Tells({Expiry()}, 4242);
  EXPECT_EQ(Collect().expired[kEstablished][kLocal], 0U);
}

TEST_F(ConntrackEventsTest, AfterAMalformedMessageItCountsTheGapAsALoss) {
  Collect();
  events->Tells({Expiry()});
  events->TellsRaw(kernel::netlink::ByteVector(5));
  const Error error = Failing();
  EXPECT_EQ(error.reason, FailureReason::kError);
  EXPECT_EQ(error.message, "read conntrack events: a malformed message");
  events->Tells({Expiry()});
  const kernel::ExpiryCounts counts = Collect();
  EXPECT_EQ(counts.expired[kEstablished][kLocal], 2U);
  EXPECT_EQ(counts.losses, 1U);
  EXPECT_EQ(events->Subscriptions().size(), 2U);
}

TEST_F(ConntrackEventsTest, WithoutMemoryItSaysSoListensAgainAndCountsTheGapAsALoss) {
  Collect();
  events->Tells({Expiry()});
  events->RunsOutOfMemory();
  EXPECT_EQ(Failing().message, "listen to conntrack events: Cannot allocate memory");
  events->Tells({Expiry()});
  const kernel::ExpiryCounts counts = Collect();
  EXPECT_EQ(counts.expired[kEstablished][kLocal], 2U);
  EXPECT_EQ(counts.losses, 1U);
}

TEST_F(ConntrackEventsTest, AnEntryWithoutAddressesIsMalformed) {
  Collect();
  kernel::netlink::Request bare(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE));
  bare.Header(nfgenmsg{AF_INET, NFNETLINK_V0, 0})
      .BeginNested(CTA_TUPLE_ORIG)
      .BeginNested(CTA_TUPLE_PROTO)
      .PutU8(CTA_PROTO_NUM, IPPROTO_TCP)
      .EndNested()
      .EndNested()
      .BeginNested(CTA_PROTOINFO)
      .BeginNested(CTA_PROTOINFO_TCP)
      .PutU8(CTA_PROTOINFO_TCP_STATE, static_cast<std::uint8_t>(kernel::ConntrackTcpState::kEstablished))
      .EndNested()
      .EndNested();
  events->Tells({MessageOf(bare)});
  EXPECT_EQ(Failing().message, "read conntrack events: an entry without addresses or ports");
}

TEST_F(ConntrackEventsTest, AKernelThatDoesNotTellTheStateIsUnsupportedForGood) {
  Collect();
  kernel::EventContent old_kernel;
  old_kernel.state.reset();
  events->Tells({MessageOf(EventMessage(old_kernel))});
  EXPECT_EQ(Failing().reason, FailureReason::kUnsupported);
  for (int look = 0; look < 3; ++look) {
    EXPECT_FALSE(TryCollect().has_value()) << "0 would be a lie";
  }
  EXPECT_EQ(events->Subscriptions().size(), 1U);
}

TEST_F(ConntrackEventsTest, ReadsTheSwitchOfEvents) {
  procfs.Write("sys/net/netfilter/nf_conntrack_events", "0\n");
  EXPECT_EQ(Failing().message,
            "conntrack events are off (net.netfilter.nf_conntrack_events=0): expiries cannot be counted; 2, the "
            "kernel's default, sends them while somebody listens");
  EXPECT_EQ(Failing().reason, FailureReason::kUnsupported);
  procfs.Remove("sys/net/netfilter/nf_conntrack_events");
  EXPECT_EQ(Failing().message, "this kernel sends no conntrack events (built without CONFIG_NF_CONNTRACK_EVENTS)");
  EXPECT_EQ(Failing().reason, FailureReason::kUnsupported);
  procfs.Write("sys/net/netfilter/nf_conntrack_events", "garbage\n");
  EXPECT_EQ(Failing().reason, FailureReason::kError);
  EXPECT_TRUE(events->Subscriptions().empty());
}

TEST_F(ConntrackEventsTest, KeepsItsCountsWhileEventsAreOff) {
  events->Tells({Expiry()});
  EXPECT_EQ(Collect().expired[kEstablished][kLocal], 1U);
  procfs.Write("sys/net/netfilter/nf_conntrack_events", "0\n");
  EXPECT_FALSE(TryCollect().has_value());
  procfs.Write("sys/net/netfilter/nf_conntrack_events", "1\n");
  EXPECT_EQ(Collect().expired[kEstablished][kLocal], 1U);
}

TEST_F(ConntrackEventsTest, WithoutConntrackItIsUnsupportedAndAsksTheKernelNothing) {
  procfs.Remove("sys/net/netfilter/nf_conntrack_count");
  EXPECT_EQ(Failing().reason, FailureReason::kUnsupported);
  EXPECT_TRUE(events->Subscriptions().empty());
}

TEST_F(ConntrackEventsTest, ARefusedSubscriptionNamesTheCapability) {
  refusal = EPERM;
  const Error error = Failing();
  EXPECT_EQ(error.reason, FailureReason::kPermission);
  EXPECT_EQ(error.message,
            "listen to conntrack events: subscribe: Operation not permitted; reading conntrack needs CAP_NET_ADMIN: "
            "run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN");
  refusal = 0;
  EXPECT_EQ(Collect().losses, 0U) << "nothing was heard before, so nothing was lost";
}

TEST_F(ConntrackEventsTest, WhereTooManyEntriesAreMadeItPausesSaysSoAndListensAgain) {
  PausesAtOnce(std::chrono::milliseconds(40));
  EXPECT_EQ(Collect().paused.count(), 0);
  events->Tells({Expiry()});
  ASSERT_EQ(Collect().expired[kEstablished][kLocal], 1U);
  creations->Tells({Expiry()});
  ASSERT_TRUE(Eventually([&] { return events->Subscriptions().size() == 2; }));
  events->Tells({Expiry()});
  const kernel::ExpiryCounts counts = Collect();
  EXPECT_EQ(counts.expired[kEstablished][kLocal], 2U);
  EXPECT_EQ(counts.losses, 1U);
  EXPECT_GE(counts.paused, std::chrono::milliseconds(10)) << "a quarter of the reserve, at least";
  EXPECT_EQ(Collect().paused, counts.paused) << "it is over";
}

TEST_F(ConntrackEventsTest, APauseThatGoesOnIsCountedSoFarAndEndsWithTheCollector) {
  PausesAtOnce(std::chrono::hours(24));
  creations->Tells({Expiry()});
  SteadyClock::duration paused{0};
  ASSERT_TRUE(Eventually([&] {
    const auto collected = TryCollect();
    paused = dynamic_cast<const ConntrackEventsSample&>(*(*collected).data).counts.paused;
    return paused.count() > 0;
  }));
  EXPECT_TRUE(Eventually(
      [&] { return dynamic_cast<const ConntrackEventsSample&>(*TryCollect()->data).counts.paused > paused; }));
  EXPECT_EQ(events->Listeners(), 0) << "the kernel would go on making messages";
  const auto start = SteadyClock::now();
  collector.reset();
  EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds(5));
}

TEST_F(ConntrackEventsTest, NewEntriesThatDoNotComeFromTheKernelAreNotChargedFor) {
  PausesAtOnce(std::chrono::milliseconds(40));
  creations->Tells({Expiry()}, 4242);
  ASSERT_TRUE(Eventually([&] { return creations->Empty(); }));
  const std::size_t probes = creations->Subscriptions().size();
  ASSERT_TRUE(Eventually([&] { return creations->Subscriptions().size() > probes + 1; }));
  EXPECT_EQ(Collect().losses, 0U);
}

TEST_F(ConntrackEventsTest, AnOverrunOfTheProbeIsNoFailure) {
  PausesAtOnce(std::chrono::milliseconds(40));
  creations->Fails(ENOBUFS);
  creations->Tells({Expiry()});
  ASSERT_TRUE(Eventually([&] { return events->Subscriptions().size() == 2; }));
  EXPECT_EQ(Collect().losses, 1U);
}

TEST_F(ConntrackEventsTest, WhenItMayNotListenAgainAfterAPauseItSaysSo) {
  PausesAtOnce(std::chrono::milliseconds(400));
  creations->Tells({Expiry()});
  ASSERT_TRUE(Eventually([&] { return events->Listeners() == 0; }));
  refusal = EPERM;
  EXPECT_EQ(Failing().message,
            "listen to conntrack events: subscribe: Operation not permitted; reading conntrack needs CAP_NET_ADMIN: "
            "run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN");
  refusal = 0;
  kernel::ExpiryCounts counts = Collect();
  EXPECT_EQ(counts.losses, 2U) << "the pause, and the gap after the error";
  EXPECT_GE(counts.paused, std::chrono::milliseconds(100));
}

TEST_F(ConntrackEventsTest, WhenTheProbeFailsItSaysSoAndListensAgain) {
  PausesAtOnce(std::chrono::milliseconds(40));
  creations->Fails(EIO);
  EXPECT_EQ(Failing().message, "listen to conntrack events: receive from netlink: Input/output error");
  EXPECT_EQ(Collect().losses, 1U);
}

}  // namespace
}  // namespace finwait::sources
