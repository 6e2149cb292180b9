#include "collectors/kernel/own_addresses.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/soon.h"
#include "tests/unit/collectors/kernel/conntrack_messages.h"
#include "tests/unit/collectors/kernel/netlink/fake_events.h"

namespace finwait::kernel {
namespace {

using netlink::Done;
using netlink::FakeEvents;
using netlink::FakeKernel;
using netlink::FakeMessage;
using netlink::MessageOf;

IpAddress Ip(const std::string& text) { return *IpAddress::Parse(text); }
FakeMessage Address(const std::string& own, const std::string& peer = "", std::uint16_t type = RTM_NEWADDR) {
  return MessageOf(AddressMessage(own, peer, type));
}

struct OwnAddressesTest : testing::Test {
  OwnAddressesTest() {
    host.open_channel = [this](int protocol) { return kernel->Open(protocol); };
    host.open_events = [this](const netlink::Subscription& subscription) { return changes->Open(subscription); };
  }

  std::shared_ptr<FakeKernel> kernel = FakeKernel::Make();
  std::shared_ptr<FakeEvents> changes = FakeEvents::Make();
  Host host;
};

TEST_F(OwnAddressesTest, KnowsWhatTheKernelListsAndAllOfLoopback) {
  kernel->Answers({Address("192.0.2.1"), Address("2001:db8::1"), Done()});
  OwnAddresses own(host);
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.1")));
  EXPECT_TRUE(own.Contains(Ip("2001:db8::1")));
  EXPECT_TRUE(own.Contains(Ip("127.9.9.9")));
  EXPECT_TRUE(own.Contains(Ip("::1")));
  EXPECT_FALSE(own.Contains(Ip("192.0.2.2")));
  EXPECT_FALSE(own.Contains(Ip("2001:db8::2")));
  ASSERT_EQ(changes->Subscriptions().size(), 1U);
  EXPECT_EQ(changes->Subscriptions()[0].protocol, NETLINK_ROUTE);
  EXPECT_EQ(changes->Subscriptions()[0].groups, (std::vector<unsigned>{RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}));
}

TEST_F(OwnAddressesTest, OnAPointToPointLinkTheOwnEndCountsNotThePeers) {
  kernel->Answers({Address("192.0.2.1", "192.0.2.9"), Address("2001:db8::1", "2001:db8::9"), Done()});
  OwnAddresses own(host);
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.1")));
  EXPECT_TRUE(own.Contains(Ip("2001:db8::1")));
  EXPECT_FALSE(own.Contains(Ip("192.0.2.9")));
  EXPECT_FALSE(own.Contains(Ip("2001:db8::9")));
}

TEST_F(OwnAddressesTest, TakesInWhatIsAddedAndKeepsWhatIsRemoved) {
  kernel->Answers({Address("192.0.2.1"), Done()});
  OwnAddresses own(host);
  ASSERT_TRUE(own.Update(Soon()));
  changes->Tells({Address("192.0.2.7")});
  changes->Tells({Address("192.0.2.1", "", RTM_DELADDR), Address("192.0.2.8")});
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.7")));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.8")));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.1")));
  EXPECT_EQ(kernel->Sent().size(), 1U);
}

TEST_F(OwnAddressesTest, AnAddressThatIsRemovedWithoutHavingBeenKnownIsNotOwn) {
  kernel->Answers({Done()});
  OwnAddresses own(host);
  changes->Tells({Address("192.0.2.5", "", RTM_DELADDR)});
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_FALSE(own.Contains(Ip("192.0.2.5")));
}

TEST_F(OwnAddressesTest, ReadsAllAgainWhenItHasMissedChanges) {
  kernel->Answers({Address("192.0.2.1"), Done()});
  OwnAddresses own(host);
  ASSERT_TRUE(own.Update(Soon()));
  changes->Fails(ENOBUFS);
  kernel->Answers({Address("192.0.2.3"), Done()});
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.3")));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.1")));
}

TEST_F(OwnAddressesTest, IgnoresWhatDoesNotComeFromTheKernel) {
  kernel->Answers({Done()});
  OwnAddresses own(host);
  changes->Tells({Address("192.0.2.66")}, 1234);
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_FALSE(own.Contains(Ip("192.0.2.66")));
}

TEST_F(OwnAddressesTest, RefusesMalformedMessages) {
  FakeMessage headless;
  headless.type = RTM_NEWADDR;
  headless.payload = netlink::ByteVector(3);
  FakeMessage nameless = Address("192.0.2.1");
  nameless.payload.resize(sizeof(ifaddrmsg));
  FakeMessage odd = MessageOf(netlink::Request(RTM_NEWADDR)
                                  .Header(ifaddrmsg{AF_INET, 24, 0, 0, 1})
                                  .PutBytes(IFA_LOCAL, netlink::ByteVector(3)));
  for (const FakeMessage& message : {headless, nameless, odd}) {
    kernel->Answers({Done()});
    OwnAddresses own(host);
    changes->Tells({message});
    const auto updated = own.Update(Soon());
    ASSERT_FALSE(updated);
    EXPECT_EQ(updated.error().message, "read this host's addresses: a malformed message");
  }
  kernel = FakeKernel::Make();
  kernel->Answers({Done()});
  OwnAddresses own(host);
  changes->TellsRaw(netlink::ByteVector(7));
  EXPECT_FALSE(own.Update(Soon()));
}

TEST_F(OwnAddressesTest, SaysWhenAHostHasMoreAddressesThanItCanRemember) {
  for (std::size_t i = 0; i < OwnAddresses::kMost; i += 1024) {
    std::vector<FakeMessage> messages;
    for (std::size_t j = i; j < i + 1024; ++j) {
      messages.push_back(Address("2001:db8::" + std::to_string(j / 8192) + ":" + std::to_string(j % 8192)));
    }
    kernel->Answers(messages);
  }
  kernel->Answers({Done()});
  OwnAddresses own(host);
  const auto updated = own.Update(Soon());
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().message,
            "this host has more than 65535 addresses: too many to tell local from forwarded connections");
  // Once most of them are gone, it works again.
  kernel->Answers({Address("192.0.2.1"), Done()});
  ASSERT_TRUE(own.Update(Soon()));
  EXPECT_TRUE(own.Contains(Ip("192.0.2.1")));
  EXPECT_FALSE(own.Contains(Ip("2001:db8::1:1")));
}

TEST_F(OwnAddressesTest, PassesOnThatAddressesCannotBeRead) {
  host.open_channel = [](int) -> Result<netlink::Channel> { return FailErrno("open", EMFILE); };
  OwnAddresses own(host);
  const auto updated = own.Update(Soon());
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().errno_code, EMFILE);
}

}  // namespace
}  // namespace finwait::kernel
