#include "exporter/http/fair_workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>

#include "tests/lab/connection.h"
#include "tests/unit/exporter/http/peer_address.h"

namespace finwait::http {
namespace {

class FairWorkersTest : public testing::Test {
 protected:
  FairWorkers::Task Counted(std::atomic<int>& runs) {
    return {[&runs] {
              ++runs;
              return nullptr;
            },
            [this] { ++refused_; }};
  }
  /// Runs until release_ is set.
  FairWorkers::Task Held(std::uint64_t id = 0) {
    return {[this] {
              ++started_;
              released_.wait();
              ++finished_;
              return nullptr;
            },
            [this] { ++refused_; }, id};
  }

  const Peer one_ = PeerAt("192.0.2.1");
  const Peer two_ = PeerAt("192.0.2.2");
  std::promise<void> release_;
  std::shared_future<void> released_ = release_.get_future().share();
  std::atomic<int> started_ = 0;
  std::atomic<int> finished_ = 0;
  std::atomic<int> refused_ = 0;
};

TEST_F(FairWorkersTest, RunsEachTaskOnce) {
  std::atomic<int> runs = 0;
  FairWorkers workers("test", 3, {50, 50, 3});
  for (int i = 0; i < 50; ++i) {
    workers.Submit(one_, Counted(runs));
  }
  EXPECT_TRUE(lab::Eventually([&] { return runs == 50; }));
  workers.Stop();
  EXPECT_EQ(runs, 50);
  EXPECT_EQ(refused_, 0);
}

TEST_F(FairWorkersTest, OnePeersTasksLeaveThreadsToOthers) {
  FairWorkers workers("test", 2, {50, 50, 1});
  std::atomic<int> runs = 0;
  for (int i = 0; i < 10; ++i) {
    workers.Submit(one_, Held());
  }
  workers.Submit(two_, Counted(runs));
  EXPECT_TRUE(lab::Eventually([&] { return runs == 1; }));
  EXPECT_EQ(started_, 1);
  release_.set_value();
  EXPECT_TRUE(lab::Eventually([&] { return finished_ == 10; }));
}

TEST_F(FairWorkersTest, WhoHasHadLittleOvertakesWhatAFloodHasBegun) {
  FairWorkers workers("test", 2, {50, 50, 1, 1});
  std::atomic<int> runs = 0;
  for (int i = 0; i < 5; ++i) {
    workers.Submit(one_, Counted(runs));
  }
  ASSERT_TRUE(lab::Eventually([&] { return runs == 5; }));
  workers.Submit(one_, Held());
  ASSERT_TRUE(lab::Eventually([&] { return started_ == 1; }));
  workers.Submit(two_, Counted(runs));
  EXPECT_TRUE(lab::Eventually([&] { return runs == 6; }));
  release_.set_value();
}

TEST_F(FairWorkersTest, WhoIsToldOfTheOutcomeFindsThePlaceFree) {
  FairWorkers workers("test", 1, {1, 1, 1});
  std::atomic<int> told = 0;
  std::function<void()> ask_again = [&] {
    if (++told < 100) {
      workers.Submit(one_, {[&] { return ask_again; }, [this] { ++refused_; }});
    }
  };
  workers.Submit(one_, {[&] { return ask_again; }, [this] { ++refused_; }});
  EXPECT_TRUE(lab::Eventually([&] { return told == 100; })) << refused_;
  EXPECT_EQ(refused_, 0);
}

TEST_F(FairWorkersTest, MoreThanItsCapacityIsRefusedUntilThereIsRoom) {
  FairWorkers workers("test", 1, {3, 3, 1});
  for (int i = 0; i < 4; ++i) {
    workers.Submit(one_, Held());
  }
  EXPECT_EQ(refused_, 1) << "one runs, two wait";
  release_.set_value();
  EXPECT_TRUE(lab::Eventually([&] { return finished_ == 3; }));
  workers.Submit(one_, Held());
  EXPECT_TRUE(lab::Eventually([&] { return finished_ == 4; }));
}

TEST_F(FairWorkersTest, WhoComesWithLessTakesAPlaceOfTheFullest) {
  FairWorkers workers("test", 1, {4, 4, 1});
  for (int i = 0; i < 4; ++i) {
    workers.Submit(one_, Held());
  }
  ASSERT_TRUE(lab::Eventually([&] { return started_ == 1; }));
  std::atomic<int> runs = 0;
  workers.Submit(two_, Counted(runs));
  EXPECT_EQ(refused_, 1);
  release_.set_value();
  EXPECT_TRUE(lab::Eventually([&] { return finished_ == 3 && runs == 1; }));
}

TEST_F(FairWorkersTest, WhatWaitsCanBeCancelledAndWhatRunsCannot) {
  FairWorkers workers("test", 1, {4, 4, 1});
  workers.Submit(one_, Held(1));
  workers.Submit(one_, Held(2));
  ASSERT_TRUE(lab::Eventually([&] { return started_ == 1; }));
  EXPECT_FALSE(workers.Cancel(one_, 1));
  EXPECT_TRUE(workers.Cancel(one_, 2));
  EXPECT_FALSE(workers.Cancel(one_, 2));
  release_.set_value();
  workers.Stop();
  EXPECT_EQ(started_, 1);
}

TEST_F(FairWorkersTest, StopWaitsForWhatRunsAndDropsWhatWaits) {
  auto token = std::make_shared<int>();
  const std::weak_ptr<int> waiting = token;  // gone once the tasks that wait are
  FairWorkers workers("test", 1, {10, 10, 1});
  workers.Submit(one_, Held());
  ASSERT_TRUE(lab::Eventually([&] { return started_ == 1; }));
  for (int i = 0; i < 5; ++i) {
    workers.Submit(two_, {[this, token] {
                            ++finished_;
                            return nullptr;
                          },
                          [] {}});
  }
  token.reset();
  std::thread stopper([&] { workers.Stop(); });
  EXPECT_TRUE(lab::Eventually([&] { return waiting.expired(); }));
  EXPECT_EQ(finished_, 0);
  release_.set_value();
  stopper.join();
  EXPECT_EQ(finished_, 1);
  workers.Submit(one_, Held());
  EXPECT_EQ(started_, 1);
}

}  // namespace
}  // namespace finwait::http
