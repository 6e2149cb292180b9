#include "exporter/channel/connection.h"
#include "tests/soon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <thread>

namespace finwait::channel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::byte> Bytes(std::size_t size) { return std::vector<std::byte>(size, std::byte{7}); }

class ChannelConnectionTest : public testing::Test {
 protected:
  // As somebody who does not keep to the form would.
  void SendRaw(std::uint32_t length, std::size_t bytes) const {
    ASSERT_EQ(::send(a_.Descriptor(), &length, sizeof length, 0), ssize_t{sizeof length});
    const auto rest = Bytes(bytes);
    ASSERT_EQ(::send(a_.Descriptor(), rest.data(), rest.size(), 0), static_cast<ssize_t>(bytes));
  }

  std::pair<Connection, Connection> ends_ = *Connection::MakePair();
  Connection& a_ = ends_.first;
  Connection& b_ = ends_.second;
};

TEST_F(ChannelConnectionTest, MessagesAreWhole) {
  ASSERT_TRUE(a_.Send(Bytes(3), Soon()));
  ASSERT_TRUE(a_.Send({}, Soon()));
  EXPECT_EQ(*b_.Receive(Soon()), Bytes(3));
  EXPECT_EQ(*b_.Receive(Soon()), Bytes(0));
}

TEST_F(ChannelConnectionTest, OneThatIsLargerThanTheBufferWaitsForItsReader) {
  const auto large = Bytes(8 << 20);
  std::jthread sender([&] { EXPECT_TRUE(a_.Send(large, Soon())); });
  EXPECT_EQ(*b_.Receive(Soon()), large);
}

// A process that stands still between two calls would leave half a message on its way.
TEST_F(ChannelConnectionTest, AMessageIsSentByOneCall) {
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);  // where each call shows
  Connection sender = Connection::Inherited(ends[0]);
  const UniqueFd receiver(ends[1]);
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{64} << 10}) {
    ASSERT_TRUE(sender.Send(Bytes(size), Soon()));
    auto got = Bytes(size + 100);
    EXPECT_EQ(::recv(receiver.Get(), got.data(), got.size(), 0), static_cast<ssize_t>(sizeof(std::uint32_t) + size));
  }
}

TEST_F(ChannelConnectionTest, WithoutAMessageItCanBeAskedAgain) {
  EXPECT_EQ(b_.Receive(Deadline::After(milliseconds(1))).error().reason, FailureReason::kTimeout);
  ASSERT_TRUE(a_.Send(Bytes(3), Soon()));
  EXPECT_TRUE(b_.Receive(Soon()));
}

TEST_F(ChannelConnectionTest, NobodyWhoTakesIsATimeout) {
  EXPECT_EQ(a_.Send(Bytes(8 << 20), Deadline::After(milliseconds(10))).error().reason, FailureReason::kTimeout);
}

TEST_F(ChannelConnectionTest, TheOtherEndGoneIsAnError) {
  b_.Shutdown();
  EXPECT_EQ(a_.Send(Bytes(3), Soon()).error().reason, FailureReason::kError);
  EXPECT_EQ(a_.Receive(Soon()).error().reason, FailureReason::kError);
}

TEST_F(ChannelConnectionTest, ShutdownWakesWhoWaits) {
  std::jthread waiting([&] { EXPECT_EQ(b_.Receive(Soon()).error().reason, FailureReason::kError); });
  std::this_thread::sleep_for(milliseconds(10));
  b_.Shutdown();
}

TEST_F(ChannelConnectionTest, TooLongAMessageIsRefusedAtItsFirstBytes) {
  b_.LimitMessages(1000);
  SendRaw(1001, 0);
  const auto received = b_.Receive(Soon());
  EXPECT_EQ(received.error().reason, FailureReason::kError);
  EXPECT_THAT(received.error().message, testing::HasSubstr("1001 bytes"));
}

TEST_F(ChannelConnectionTest, HalfAMessageIsAnErrorAndNoTimeout) {
  SendRaw(1000, 10);
  a_.Shutdown();
  EXPECT_EQ(b_.Receive(Soon()).error().reason, FailureReason::kError);
}

TEST_F(ChannelConnectionTest, HalfAMessageHasAsMuchTimeAsIsSaid) {
  b_.LimitTime(milliseconds(1));
  SendRaw(1000, 10);
  EXPECT_EQ(b_.Receive(Soon()).error().reason, FailureReason::kError);
}

}  // namespace
}  // namespace finwait::channel
