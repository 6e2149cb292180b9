#include "exporter/diagnosis/connection_memory.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

using std::chrono::seconds;

LiveSocket Tracked(std::uint64_t cookie, std::uint32_t remaining) {
  LiveSocket socket;
  socket.cookie = cookie;
  socket.tracking = Tracking::kTracked;
  socket.entry_state = ConntrackTcpState::kEstablished;
  socket.remaining_seconds = remaining;
  return socket;
}

LiveSocket Untracked(std::uint64_t cookie) {
  LiveSocket socket;
  socket.cookie = cookie;
  return socket;
}

class ConnectionMemoryTest : public testing::Test {
 protected:
  void Look(const std::vector<LiveSocket>& sockets) {
    TrackingSample sample;
    sample.sockets = LiveSocketList(sockets);
    memory_.Update(sample, now_);
  }
  ConnectionMemory memory_;
  SteadyClock::time_point now_;
};

TEST_F(ConnectionMemoryTest, AnEntryThatWentWhenItsTimeWasUpTimedOut) {
  Look({Tracked(1, 8)});
  now_ += seconds(5);
  Look({Tracked(1, 3)});
  now_ += seconds(5);
  Look({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, EntryEnd::kTimedOut);
  EXPECT_EQ(memory_.Find(1)->entry_state, ConntrackTcpState::kEstablished);
}

TEST_F(ConnectionMemoryTest, AnEntryThatWentBeforeItsTimeWasRemoved) {
  Look({Tracked(1, 300)});
  now_ += seconds(5);
  Look({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, EntryEnd::kRemoved);
  now_ += seconds(1000);
  Look({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, EntryEnd::kRemoved)
      << "what became of it is settled by the look that missed it";
}

TEST_F(ConnectionMemoryTest, AnEntryThatWasNeverThereIsSaidToBe) {
  Look({Untracked(1)});
  EXPECT_EQ(memory_.Find(1)->entry_end, EntryEnd::kNeverSeen);
  EXPECT_FALSE(memory_.Find(1)->SeenTracked());
}

TEST_F(ConnectionMemoryTest, AnEntryThatComesBackIsThereAgain) {
  Look({Tracked(1, 300)});
  Look({Untracked(1)});
  Look({Tracked(1, 300)});
  EXPECT_EQ(memory_.Find(1)->entry_end, EntryEnd::kStillThere);
}

TEST_F(ConnectionMemoryTest, NatAndKeepaliveOutliveTheEntry) {
  LiveSocket socket = Tracked(1, 300);
  socket.destination_nat = true;
  socket.keepalive_due = std::chrono::milliseconds(1000);
  Look({socket});
  Look({Untracked(1)});
  EXPECT_TRUE(memory_.Find(1)->Translated());
  EXPECT_EQ(memory_.Find(1)->keepalive, true);
}

TEST_F(ConnectionMemoryTest, ForgetsSocketsThatAreGone) {
  Look({Tracked(1, 300), Tracked(2, 300)});
  Look({Tracked(2, 300)});
  EXPECT_FALSE(memory_.Find(1));
  EXPECT_TRUE(memory_.Find(2));
}

}  // namespace
}  // namespace finwait
