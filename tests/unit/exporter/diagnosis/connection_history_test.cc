#include "exporter/diagnosis/connection_history.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using std::chrono::seconds;

kernel::TcpSocket Tracked(std::uint64_t cookie, std::uint32_t remaining) {
  kernel::TcpSocket socket;
  socket.cookie = cookie;
  socket.entry.tracking = kernel::Tracking::kTracked;
  socket.entry.state = kernel::ConntrackTcpState::kEstablished;
  socket.entry.remaining_seconds = remaining;
  return socket;
}

kernel::TcpSocket Untracked(std::uint64_t cookie) {
  kernel::TcpSocket socket;
  socket.cookie = cookie;
  socket.entry.tracking = kernel::Tracking::kUntracked;
  return socket;
}

class ConnectionMemoryTest : public testing::Test {
 protected:
  void Collect(const std::vector<kernel::TcpSocket>& sockets) { memory_.Update(kernel::SocketTable(sockets), now_); }
  ConnectionHistories memory_;
  SteadyClock::time_point now_;
};

TEST_F(ConnectionMemoryTest, AnEntryThatWentWhenItsTimeWasUpTimedOut) {
  Collect({Tracked(1, 8)});
  now_ += seconds(5);
  Collect({Tracked(1, 3)});
  now_ += seconds(5);
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kTimedOut);
  EXPECT_EQ(memory_.Find(1)->entry_state, kernel::ConntrackTcpState::kEstablished);
}

TEST_F(ConnectionMemoryTest, AnEntryThatWentBeforeItsTimeWasRemoved) {
  Collect({Tracked(1, 300)});
  now_ += seconds(5);
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kRemoved);
  now_ += seconds(1000);
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kRemoved)
      << "what became of it is settled by the look that missed it";
}

// ctnetlink tells neither state nor timeout of an entry whose packets a flowtable passes on.
TEST_F(ConnectionMemoryTest, OfAnEntryInAFlowtableItIsNotToldHowItWent) {
  kernel::TcpSocket offloaded = Tracked(1, 0);
  offloaded.entry.state.reset();
  offloaded.entry.source_nat = true;
  offloaded.idle = seconds(20);
  Collect({offloaded});
  EXPECT_TRUE(memory_.Find(1)->SeenTracked());
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, std::nullopt);
  now_ += seconds(5);
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kUnknown) << "0 s remained because nothing was told";
  EXPECT_TRUE(memory_.Find(1)->SeenTracked());
  EXPECT_TRUE(memory_.Find(1)->source_nat);
}

TEST_F(ConnectionMemoryTest, OnceOutOfTheFlowtableAnEntrysTimeCountsAgain) {
  kernel::TcpSocket offloaded = Tracked(1, 0);
  offloaded.entry.state.reset();
  Collect({offloaded});
  now_ += seconds(5);
  Collect({Tracked(1, 300)});
  now_ += seconds(5);
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kRemoved);
}

TEST_F(ConnectionMemoryTest, AnEntryThatWasNeverThereIsSaidToBe) {
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kNeverSeen);
  EXPECT_FALSE(memory_.Find(1)->SeenTracked());
}

TEST_F(ConnectionMemoryTest, AnEntryThatComesBackIsThereAgain) {
  Collect({Tracked(1, 300)});
  Collect({Untracked(1)});
  Collect({Tracked(1, 300)});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kStillThere);
}

TEST_F(ConnectionMemoryTest, NatAndKeepaliveOutliveTheEntry) {
  kernel::TcpSocket socket = Tracked(1, 300);
  socket.entry.destination_nat = true;
  socket.timer = kernel::SocketTimer::kKeepalive;
  Collect({socket});
  Collect({Untracked(1)});
  EXPECT_TRUE(memory_.Find(1)->Translated());
  EXPECT_EQ(memory_.Find(1)->keepalive, true);
}

TEST_F(ConnectionMemoryTest, ForgetsSocketsThatAreGone) {
  Collect({Tracked(1, 300), Tracked(2, 300)});
  Collect({Tracked(2, 300)});
  EXPECT_FALSE(memory_.Find(1));
  EXPECT_TRUE(memory_.Find(2));
}

TEST_F(ConnectionMemoryTest, KeepsApartManyThatComeAndGo) {
  // A thousand of them, of which each look loses a hundred, gains a hundred, and lists the newest first.
  for (std::uint64_t look = 0; look < 20; ++look) {
    std::vector<kernel::TcpSocket> sockets;
    for (std::uint64_t i = 1000; i > 0; --i) {
      const std::uint64_t cookie = 100 * look + i;
      sockets.push_back(cookie % 2 == 0 || look == cookie % 20 ? Tracked(cookie, 300) : Untracked(cookie));
    }
    Collect(sockets);
    now_ += seconds(5);
  }
  EXPECT_FALSE(memory_.Find(1900));
  EXPECT_FALSE(memory_.Find(2901));
  for (std::uint64_t cookie = 1901; cookie <= 2900; ++cookie) {
    ASSERT_TRUE(memory_.Find(cookie)) << cookie;
    // The looks that listed it begin with the one that brought it.
    const std::uint64_t first = cookie <= 1000 ? 0 : (cookie - 1000 + 99) / 100;
    const bool was_tracked = cookie % 20 >= first;
    const ExpiryReason expected = cookie % 2 == 0      ? ExpiryReason::kStillThere
                                  : !was_tracked       ? ExpiryReason::kNeverSeen
                                  : cookie % 20 == 19U ? ExpiryReason::kStillThere
                                                       : ExpiryReason::kRemoved;
    EXPECT_EQ(memory_.Find(cookie)->entry_end, expected) << cookie;
  }
}

TEST_F(ConnectionMemoryTest, ASocketThatIsListedTwiceIsTakenByItsFirst) {
  kernel::TcpSocket translated = Tracked(1, 300);
  translated.entry.source_nat = true;
  translated.entry.translation = std::make_shared<const kernel::Translation>();
  Collect({Tracked(1, 300), Tracked(1, 300)});
  Collect({translated, translated});
  EXPECT_TRUE(memory_.Find(1)->source_nat);
  Collect({Untracked(1), translated});
  EXPECT_EQ(memory_.Find(1)->entry_end, ExpiryReason::kRemoved);
}

// An entry with `remaining` left, of a socket that was silent for `idle`.
kernel::TcpSocket Silent(std::uint32_t remaining, seconds idle) {
  kernel::TcpSocket socket = Tracked(1, remaining);
  socket.idle = idle;
  return socket;
}

TEST_F(ConnectionMemoryTest, WhatAnEntryWasGivenIsAtMostWhatRemainsAndTheSilence) {
  Collect({Silent(90, seconds(10))});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(100));
  now_ += seconds(5);
  Collect({Silent(85, seconds(15))});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(100));
}

TEST_F(ConnectionMemoryTest, APacketThatTheSocketDoesNotDateCameSinceTheLastSample) {
  Collect({Silent(60, seconds(1000))});
  EXPECT_GE(*memory_.Find(1)->entry_timeout_at_most, seconds(1060));
  now_ += seconds(5);
  Collect({Silent(98, seconds(1005))});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(103)) << "a keepalive of the peer's";
  now_ += seconds(5);
  Collect({Silent(93, seconds(1010))});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(103));
}

TEST_F(ConnectionMemoryTest, OfASocketThatTellsNoSilenceARefreshTells) {
  Collect({Tracked(1, 60)});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, std::nullopt);
  now_ += seconds(5);
  Collect({Tracked(1, 55)});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, std::nullopt) << "nothing has come";
  now_ += seconds(5);
  Collect({Tracked(1, 98)});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(103));
  now_ += seconds(5);
  Collect({Tracked(1, 93)});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(103));
}

TEST_F(ConnectionMemoryTest, AnEntryThatIsGivenMoreIsLearntAgain) {
  Collect({Silent(100, seconds(0))});
  now_ += seconds(5);
  Collect({Silent(432'000, seconds(0))});
  EXPECT_GE(*memory_.Find(1)->entry_timeout_at_most, seconds(432'000));
  EXPECT_LE(*memory_.Find(1)->entry_timeout_at_most, seconds(432'000 + 432'000 / 256));
}

TEST_F(ConnectionMemoryTest, TheTimeoutIsRememberedWhenTheEntryIsGone) {
  Collect({Silent(3, seconds(97))});
  now_ += seconds(10);
  Collect({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_timeout_at_most, seconds(100));
}

}  // namespace
}  // namespace finwait::diagnosis
