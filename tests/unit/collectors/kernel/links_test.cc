#include "collectors/kernel/links.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include "tests/soon.h"
#include "tests/unit/collectors/kernel/conntrack_messages.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"
#include "tests/unit/collectors/kernel/route_messages.h"

namespace finwait::kernel {
namespace {

using netlink::Done;
using netlink::FakeKernel;
using netlink::FakeMessage;
using netlink::MessageOf;

FakeMessage NumberMessage(std::int32_t number) {
  rtgenmsg header = {};
  netlink::Request message(RTM_NEWNSID);
  message.Header(header).PutU32(NETNSA_NSID, static_cast<std::uint32_t>(number));
  return MessageOf(message);
}

struct LinksTest : testing::Test {
  LinksTest() {
    host.open_channel = [this](int protocol) { return kernel->Open(protocol); };
  }
  std::shared_ptr<FakeKernel> kernel = FakeKernel::Make();
  Host host;
};

TEST_F(LinksTest, KnowsWhichDevicesLeadToANamespace) {
  kernel->Answers({LinkMessage(9, "veth9", "veth", 4, 2), LinkMessage(2, "eth0", "", 0, std::nullopt),
                   LinkMessage(4, "br0", "bridge", 0, std::nullopt), LinkMessage(7, "cali7", "veth", 0, 0), Done()});
  const auto links = Links::Read(host, Soon());
  ASSERT_TRUE(links.has_value()) << links.error().message;
  ASSERT_EQ(links->All().size(), 4U);
  ASSERT_NE(links->Find(4), nullptr);
  EXPECT_EQ(links->Find(4)->kind, "bridge");
  EXPECT_EQ(links->Find(2)->kind, "");
  EXPECT_EQ(links->Find(2)->group, 3U);
  EXPECT_FALSE(links->Find(2)->peer_namespace.has_value());
  EXPECT_EQ(links->Find(5), nullptr);
  const auto bridged = links->LinkTo(2);
  ASSERT_TRUE(bridged);
  EXPECT_EQ(bridged->device->name, "veth9");
  EXPECT_EQ(bridged->master->name, "br0");
  const auto routed = links->LinkTo(0);
  ASSERT_TRUE(routed && routed->device) << "0 is a number like others";
  EXPECT_EQ(routed->device->name, "cali7");
  EXPECT_FALSE(routed->master);
}

TEST_F(LinksTest, KnowsThatNoDeviceLeadsToANamespace) {
  kernel->Answers({LinkMessage(9, "veth9", "veth", 0, 2), Done()});
  const auto links = Links::Read(host, Soon());
  ASSERT_TRUE(links.has_value()) << links.error().message;
  for (const std::optional<std::int32_t> number : {std::optional<std::int32_t>(1), std::optional<std::int32_t>()}) {
    const auto none = links->LinkTo(number);
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->device);
  }
}

TEST_F(LinksTest, CannotTellWhereSeveralDevicesLeadThereOrTheMasterHasGone) {
  kernel->Answers({LinkMessage(9, "veth9", "veth", 0, 2), LinkMessage(10, "veth10", "veth", 0, 2),
                   LinkMessage(11, "veth11", "veth", 4, 3), Done()});
  const auto links = Links::Read(host, Soon());
  ASSERT_TRUE(links.has_value()) << links.error().message;
  EXPECT_FALSE(links->LinkTo(2));
  EXPECT_FALSE(links->LinkTo(3));
}

TEST_F(LinksTest, ANamespaceHasANumberOrNone) {
  kernel->Answers({NumberMessage(5), netlink::Acknowledgement()});
  kernel->Answers({NumberMessage(NETNSA_NSID_NOT_ASSIGNED), netlink::Acknowledgement()});
  auto channel = host.open_channel(NETLINK_ROUTE);
  ASSERT_TRUE(channel.has_value());
  const auto number = NamespaceNumber(*channel, 1, Soon());
  ASSERT_TRUE(number.has_value()) << number.error().message;
  EXPECT_EQ(*number, 5);
  const auto none = NamespaceNumber(*channel, 1, Soon());
  ASSERT_TRUE(none.has_value()) << none.error().message;
  EXPECT_FALSE(none->has_value());
}

}  // namespace
}  // namespace finwait::kernel
