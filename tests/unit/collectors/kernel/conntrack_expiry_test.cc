#include "collectors/kernel/conntrack_expiry.h"

#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/conntrack_messages.h"
#include "tests/unit/collectors/kernel/netlink/fake_events.h"

namespace finwait::kernel {
namespace {

using netlink::FakeEvents;
using netlink::FakeKernel;
using netlink::MessageOf;

Result<std::optional<ConntrackExpiry>> DecodeExpiry(const netlink::Request& message) {
  return DecodeConntrackExpiry({message.Type(), message.Data().subspan(NLMSG_HDRLEN)});
}

TEST(ConntrackExpiryTest, TellsTheStateAndBothTuples) {
  for (std::size_t i = 0; i < std::size(kLiveConntrackStates); ++i) {
    EventContent content;
    content.state = static_cast<std::uint8_t>(kLiveConntrackStates[i]);
    content.reply_source = "198.51.100.9";
    const auto expiry = DecodeExpiry(EventMessage(content));
    ASSERT_TRUE(expiry && *expiry);
    EXPECT_EQ((*expiry)->state, i);
    EXPECT_EQ((*expiry)->original.source.Text(), "192.0.2.1:40000");
    EXPECT_EQ((*expiry)->original.destination.Text(), "198.51.100.1:443");
    EXPECT_EQ((*expiry)->reply.source.Text(), "198.51.100.9:40000");
  }
}

TEST(ConntrackExpiryTest, IsNothingForADeletionOrAnotherStateOrProtocol) {
  EventContent deleted;
  deleted.seconds_left = 299;
  EventContent closed;
  closed.state = static_cast<std::uint8_t>(ConntrackTcpState::kTimeWait);
  EventContent udp;
  udp.protocol = IPPROTO_UDP;
  udp.state.reset();
  EventContent created;
  created.message = IPCTNL_MSG_CT_NEW;
  for (const EventContent& content : {deleted, closed, udp, created}) {
    const auto expiry = DecodeExpiry(EventMessage(content));
    ASSERT_TRUE(expiry.has_value());
    EXPECT_FALSE(expiry->has_value());
  }
}

TEST(ConntrackExpiryTest, SaysThatAKernelWhichDoesNotTellTheStateIsNotSupported) {
  EventContent old_kernel;
  old_kernel.state.reset();
  const auto expiry = DecodeExpiry(EventMessage(old_kernel));
  ASSERT_FALSE(expiry);
  EXPECT_EQ(expiry.error().reason, FailureReason::kUnsupported);
}

TEST(ConntrackExpiryTest, NeverCountsAMessageThatIsCutShort) {
  const netlink::Request whole = EventMessage({});
  const netlink::Bytes payload = whole.Data().subspan(NLMSG_HDRLEN);
  ASSERT_TRUE(DecodeExpiry(whole).value());
  // The last three bytes are padding behind the state.
  for (std::size_t size = 0; size + 3 < payload.size(); ++size) {
    // A copy of exactly this size: a memory checker sees a byte read past the end.
    const std::vector<std::byte> cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
    const auto expiry = DecodeConntrackExpiry({whole.Type(), cut});
    EXPECT_FALSE(expiry && *expiry) << size;
  }
}

// A namespace whose own addresses are 192.0.2.1 and 2001:db8::1.
OwnAddresses AddressesOfHost() {
  auto kernel = FakeKernel::Make();
  kernel->Answers({MessageOf(AddressMessage("192.0.2.1")), MessageOf(AddressMessage("2001:db8::1")), netlink::Done()});
  Host host;
  host.open_channel = [kernel](int protocol) { return kernel->Open(protocol); };
  host.open_events = [](const netlink::Subscription& subscription) { return FakeEvents::Make()->Open(subscription); };
  OwnAddresses own(host);
  EXPECT_TRUE(own.Update(Deadline::After(std::chrono::seconds(5))));
  return own;
}

ExpiryScope Scope(const char* source, const char* destination, const char* reply_source,
                  const char* reply_destination) {
  EventContent content;
  content.source = source;
  content.destination = destination;
  content.reply_source = reply_source;
  content.reply_destination = reply_destination;
  return ScopeOf(**DecodeExpiry(EventMessage(content)), AddressesOfHost());
}

TEST(ExpiryScopeTest, ConnectionsFromAndToThisHostAreLocalWhateverNatDidToThem) {
  const auto local = ExpiryScope::kLocal;
  EXPECT_EQ(Scope("192.0.2.1", "198.51.100.1", "198.51.100.1", "192.0.2.1"), local) << "opened here";
  EXPECT_EQ(Scope("198.51.100.1", "192.0.2.1", "192.0.2.1", "198.51.100.1"), local) << "accepted here";
  EXPECT_EQ(Scope("192.0.2.1", "198.51.100.1", "198.51.100.7", "192.0.2.1"), local) << "to a service's address";
  EXPECT_EQ(Scope("192.0.2.1", "198.51.100.1", "198.51.100.1", "198.51.100.200"), local) << "under another's address";
  EXPECT_EQ(Scope("198.51.100.1", "198.51.100.200", "192.0.2.1", "198.51.100.1"), local) << "redirected here";
  EXPECT_EQ(Scope("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"), local);
  EXPECT_EQ(Scope("2001:db8::1", "2001:db8::2", "2001:db8::2", "2001:db8::1"), local);
  EXPECT_EQ(Scope("::1", "::1", "::1", "::1"), local);
}

TEST(ExpiryScopeTest, ConnectionsOfOthersAreForwardedUnderAnyAddress) {
  const auto forwarded = ExpiryScope::kForwarded;
  EXPECT_EQ(Scope("198.51.100.1", "198.51.100.2", "198.51.100.2", "198.51.100.1"), forwarded);
  EXPECT_EQ(Scope("198.51.100.1", "198.51.100.2", "198.51.100.2", "192.0.2.1"), forwarded) << "masqueraded";
  EXPECT_EQ(Scope("198.51.100.1", "192.0.2.1", "198.51.100.2", "198.51.100.1"), forwarded) << "to a published port";
  EXPECT_EQ(Scope("2001:db8::3", "2001:db8::4", "2001:db8::4", "2001:db8::3"), forwarded);
}

}  // namespace
}  // namespace finwait::kernel
