#include "exporter/http/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>

#include "tests/lab/connection.h"

namespace finwait::http {
namespace {

TEST(Workers, RunsEachTaskOnce) {
  std::atomic<int> runs = 0;
  std::latch done(50);
  Workers workers("test", 3, 50);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(workers.Submit([&] {
      ++runs;
      done.count_down();
    }));
  }
  done.wait();
  EXPECT_EQ(runs, 50);
}

TEST(Workers, RefusesMoreThanItsCapacityAndTakesAgainOnceThereIsRoom) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::latch done(3);
  Workers workers("test", 1, 3);
  const auto task = [&] {
    released.wait();
    done.count_down();
  };
  EXPECT_TRUE(workers.Submit(task));
  EXPECT_TRUE(workers.Submit(task));
  EXPECT_TRUE(workers.Submit(task));
  EXPECT_FALSE(workers.Submit(task)) << "one runs, two wait";
  release.set_value();
  done.wait();
  std::promise<void> ran;
  while (!workers.Submit([&] { ran.set_value(); })) {  // the last task has counted down but may not have returned yet
    std::this_thread::yield();
  }
  ran.get_future().wait();
}

TEST(Workers, StopWaitsForWhatRunsAndDropsWhatWaits) {
  std::promise<void> started;
  std::promise<void> release;
  std::atomic<int> finished = 0;
  auto token = std::make_shared<int>();
  const std::weak_ptr<int> waiting = token;  // gone once the tasks that wait are
  Workers workers("test", 1, 10);
  workers.Submit([&] {
    started.set_value();
    release.get_future().wait();
    ++finished;
  });
  for (int i = 0; i < 5; ++i) {
    workers.Submit([&finished, token] { ++finished; });
  }
  token.reset();
  started.get_future().wait();
  std::thread stopper([&] { workers.Stop(); });
  EXPECT_TRUE(lab::Eventually([&] { return waiting.expired(); }));
  EXPECT_EQ(finished, 0);
  release.set_value();
  stopper.join();
  EXPECT_EQ(finished, 1);
  EXPECT_FALSE(workers.Submit([] {}));
}

}  // namespace
}  // namespace finwait::http
