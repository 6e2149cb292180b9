#include "exporter/scheduling/snapshot_inbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace finwait::scheduling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const Snapshot> Empty() { return std::make_shared<const Snapshot>(); }

TEST(SnapshotInboxTest, GivesWhatWasPutOnce) {
  SnapshotInbox inbox;
  const auto first = Empty();
  inbox.Put(first);
  EXPECT_EQ(inbox.Take(seconds(20)), first);
  EXPECT_EQ(inbox.Take(milliseconds(1)), nullptr);
}

TEST(SnapshotInboxTest, TheNewestReplacesWhatWaits) {
  SnapshotInbox inbox;
  inbox.Put(Empty());
  const auto newest = Empty();
  inbox.Put(newest);
  EXPECT_EQ(inbox.Take(seconds(20)), newest);
  EXPECT_EQ(inbox.Take(milliseconds(1)), nullptr);
}

TEST(SnapshotInboxTest, GathersWhatComesAtAboutTheSameTime) {
  // A busy machine may keep the other thread waiting for longer than that, though not every time.
  bool gathered = false;
  for (int i = 0; i < 20 && !gathered; ++i) {
    SnapshotInbox inbox;
    const auto newest = Empty();
    inbox.Put(Empty());
    std::jthread later([&] {
      std::this_thread::sleep_for(SnapshotInbox::kGather / 5);
      inbox.Put(newest);
    });
    gathered = inbox.Take(seconds(20)) == newest;
  }
  EXPECT_TRUE(gathered);
}

TEST(SnapshotInboxTest, WaitsForOneThatComes) {
  SnapshotInbox inbox;
  const auto one = Empty();
  std::jthread later([&] { inbox.Put(one); });
  EXPECT_EQ(inbox.Take(seconds(20)), one);
}

}  // namespace
}  // namespace finwait::scheduling
