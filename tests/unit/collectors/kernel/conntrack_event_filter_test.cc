#include "collectors/kernel/conntrack_event_filter.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <random>

#include "collectors/base/unique_fd.h"
#include "collectors/kernel/conntrack_expiry.h"
#include "tests/unit/collectors/kernel/conntrack_messages.h"

namespace finwait::kernel {
namespace {

// The kernel runs a socket filter over any datagram, so it can be asked about messages of our own making.
class Evaluate {
 public:
  Evaluate() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    in_ = UniqueFd(ends[0]);
    out_ = UniqueFd(ends[1]);
    std::vector<sock_filter> filter = LiveExpiryFilter();
    const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    EXPECT_EQ(::setsockopt(out_.Get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  }

  // Whether the filter lets the whole message through.
  bool Passes(netlink::Bytes message) {
    // A datagram that the filter rejects makes send fail with EPERM.
    ::send(in_.Get(), message.data(), message.size(), 0);
    std::vector<std::byte> received(message.size() + 1);
    return ::recv(out_.Get(), received.data(), received.size(), 0) == static_cast<ssize_t>(message.size());
  }
  bool Passes(const EventContent& content) { return Passes(EventMessage(content).Data()); }

 private:
  UniqueFd in_;
  UniqueFd out_;
};

TEST(LiveExpiryFilterTest, PassesExactlyTheLiveStatesOfBothFamilies) {
  Evaluate evaluator;
  for (unsigned state = 0; state < 256; ++state) {
    EventContent content;
    content.state = static_cast<std::uint8_t>(state);
    const auto known = ConntrackTcpStateFromKernel(*content.state);
    const bool live = known == ConntrackTcpState::kEstablished || known == ConntrackTcpState::kCloseWait ||
                      known == ConntrackTcpState::kFinWait || known == ConntrackTcpState::kLastAck;
    EXPECT_EQ(evaluator.Passes(content), live) << state;
    content.source = content.reply_destination = "2001:db8::1";
    content.destination = content.reply_source = "2001:db8::2";
    EXPECT_EQ(evaluator.Passes(content), live) << state;
  }
}

TEST(LiveExpiryFilterTest, RejectsADeletionWhateverTimeItHadLeft) {
  Evaluate evaluator;
  for (const std::uint32_t left : {1U, 299U, 432000U, 0U}) {
    EventContent content;
    content.seconds_left = left;
    EXPECT_FALSE(evaluator.Passes(content)) << left;
  }
}

TEST(LiveExpiryFilterTest, RejectsOtherProtocolsAndOtherMessages) {
  Evaluate evaluator;
  EventContent udp;
  udp.protocol = IPPROTO_UDP;
  udp.state.reset();
  EXPECT_FALSE(evaluator.Passes(udp));
  EventContent created;
  created.message = IPCTNL_MSG_CT_NEW;
  EXPECT_FALSE(evaluator.Passes(created));
  // The same message number in another subsystem.
  netlink::Request expectation(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_CT_DELETE));
  EXPECT_FALSE(evaluator.Passes(expectation.Data()));
}

TEST(LiveExpiryFilterTest, PassesATcpEventWithoutAStateSoThatBlindnessIsNoticed) {
  Evaluate evaluator;
  EventContent old_kernel;
  old_kernel.state.reset();
  EXPECT_TRUE(evaluator.Passes(old_kernel));
}

TEST(LiveExpiryFilterTest, RejectsWhatIsCutShortOfItsState) {
  Evaluate evaluator;
  const netlink::Request message = EventMessage({});
  ASSERT_TRUE(evaluator.Passes(message.Data()));
  // The state is in the last eight bytes: its attribute's header, its value, padding.
  for (std::size_t size = 1; size < message.Data().size() - 8; ++size) {
    const bool passes = evaluator.Passes(message.Data().first(size));
    // Cut before CTA_PROTOINFO it looks as an old kernel's message does, if it tells the protocol.
    if (passes) {
      EXPECT_GE(size, NLMSG_HDRLEN + sizeof(nfgenmsg) + 52) << "passed without a whole tuple";
    }
  }
}

// What the kernel lets through and what the decoder then counts or complains about must be the same.
TEST(LiveExpiryFilterTest, AgreesWithTheDecoder) {
  Evaluate evaluator;
  std::mt19937 random(20240607);
  for (int i = 0; i < 5000; ++i) {
    EventContent content;
    content.message = static_cast<std::uint8_t>(random() % 4);
    content.protocol = random() % 3 == 0 ? IPPROTO_UDP : IPPROTO_TCP;
    if (random() % 4 == 0) {
      content.state.reset();
    } else {
      content.state = static_cast<std::uint8_t>(random() % kConntrackTcpStateCount);
    }
    if (content.protocol != IPPROTO_TCP) {
      content.state.reset();
    }
    if (random() % 3 == 0) {
      content.seconds_left = static_cast<std::uint32_t>(random() % 1000);
    }
    if (content.state.has_value() || !content.seconds_left) {
      const netlink::Request message = EventMessage(content);
      const auto decoded = DecodeConntrackExpiry({message.Type(), message.Data().subspan(NLMSG_HDRLEN)});
      EXPECT_EQ(evaluator.Passes(message.Data()), !decoded || decoded->has_value());
    }
  }
}

}  // namespace
}  // namespace finwait::kernel
