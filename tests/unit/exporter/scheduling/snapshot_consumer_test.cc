#include "exporter/scheduling/snapshot_consumer.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

namespace finwait::scheduling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const Snapshot> Empty() { return std::make_shared<const Snapshot>(); }

TEST(SnapshotConsumerTest, StartConsumesWhatWaitsBeforeItReturns) {
  std::shared_ptr<const Snapshot> consumed;
  SnapshotConsumer consumer([&](auto snapshot) { consumed = std::move(snapshot); });
  const auto first = Empty();
  consumer.Put(first);
  EXPECT_EQ(consumed, nullptr);
  consumer.Start();
  EXPECT_EQ(consumed, first);
}

TEST(SnapshotConsumerTest, WhileOneIsConsumedTheNewestReplacesWhatWaits) {
  std::promise<void> busy;
  std::promise<void> go_on;
  std::promise<std::shared_ptr<const Snapshot>> second;
  int calls = 0;  // only its thread touches it
  SnapshotConsumer consumer([&, wait = go_on.get_future().share()](auto snapshot) {
    if (++calls == 1) {
      busy.set_value();
      wait.wait();
    } else {
      second.set_value(std::move(snapshot));
    }
  });
  consumer.Start();
  consumer.Put(Empty());
  busy.get_future().wait();
  consumer.Put(Empty());
  const auto newest = Empty();
  consumer.Put(newest);
  go_on.set_value();
  auto consumed = second.get_future();
  ASSERT_EQ(consumed.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(consumed.get(), newest);
  EXPECT_TRUE(consumer.Stop(Deadline::After(seconds(20))));
  EXPECT_EQ(calls, 2);
}

TEST(SnapshotConsumerTest, GathersWhatComesAtAboutTheSameTime) {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<const Snapshot> last;
  int calls = 0;
  SnapshotConsumer consumer([&](auto snapshot) {
    const std::lock_guard lock(mutex);
    last = std::move(snapshot);
    ++calls;
    changed.notify_all();
  });
  consumer.Start();
  // A busy machine may keep this thread waiting for longer than that, though not every time.
  bool gathered = false;
  for (int i = 0; i < 20 && !gathered; ++i) {
    std::unique_lock lock(mutex);
    const int before = calls;
    lock.unlock();
    consumer.Put(Empty());
    std::this_thread::sleep_for(SnapshotConsumer::kGather / 5);
    const auto newest = Empty();
    consumer.Put(newest);
    lock.lock();
    ASSERT_TRUE(changed.wait_for(lock, seconds(20), [&] { return last == newest; }));
    gathered = calls == before + 1;
  }
  EXPECT_TRUE(gathered);
}

TEST(SnapshotConsumerTest, StopsOnceAndThenAgain) {
  SnapshotConsumer consumer([](const auto&) {});
  consumer.Start();
  EXPECT_TRUE(consumer.Stop(Deadline::After(seconds(20))));
  EXPECT_TRUE(consumer.Stop(Deadline::After(seconds(20))));
}

TEST(SnapshotConsumerTest, AFunctionThatHangsIsLeftBehind) {
  // What the thread that is left behind uses outlives the test.
  auto busy = std::make_shared<std::promise<void>>();
  auto release = std::make_shared<std::promise<void>>();
  auto done = std::make_shared<std::promise<void>>();
  {
    SnapshotConsumer consumer([busy, done, wait = release->get_future().share()](const auto&) {
      busy->set_value();
      wait.wait();
      done->set_value();
    });
    consumer.Start();
    consumer.Put(Empty());
    busy->get_future().wait();
    EXPECT_FALSE(consumer.Stop(Deadline::After(milliseconds(10))));
  }
  release->set_value();
  EXPECT_EQ(done->get_future().wait_for(seconds(20)), std::future_status::ready);
}

}  // namespace
}  // namespace finwait::scheduling
