#include "exporter/http/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/exporter/http/peer_address.h"

namespace finwait::http {
namespace {

class FairQueueTest : public testing::Test {
 protected:
  /// What finds no place, or "".
  std::string Push(const Peer& peer, const std::string& item, std::size_t room = 100) {
    return queue_.Push(peer, item, room, start_).value_or("");
  }
  /// Takes and ends what is next, "" when nothing is.
  std::string Pop() {
    const auto next = queue_.Pop(start_);
    if (next) {
      queue_.Done(next->peer, 0, start_);
    }
    return next ? next->item : "";
  }

  const SteadyClock::time_point start_ = SteadyClock::now();
  PeerUsage usage_;
  FairQueue<std::string> queue_{usage_, 8, 1};
  const Peer a_ = PeerAt("192.0.2.1");
  const Peer b_ = PeerAt("192.0.2.2");
  const Peer c_ = PeerAt("192.0.2.3");
};

TEST_F(FairQueueTest, PeersAreServedInTurnHoweverManyItemsOneHas) {
  for (const char* item : {"a1", "a2", "a3", "a4"}) {
    EXPECT_EQ(Push(a_, item), "");
  }
  Push(b_, "b1");
  Push(b_, "b2");
  Push(c_, "c1");
  std::vector<std::string> order;
  for (std::string item = Pop(); !item.empty(); item = Pop()) {
    order.push_back(item);
  }
  EXPECT_THAT(order, testing::ElementsAre("a1", "b1", "c1", "a2", "b2", "a3", "a4"));
}

TEST_F(FairQueueTest, OnlyWhoHasHadClearlyLessOvertakes) {
  usage_.Add(a_, start_, 70);
  usage_.Add(b_, start_, 60);
  usage_.Add(c_, start_, 30);
  Push(a_, "a1");
  ASSERT_EQ(queue_.Pop(start_)->item, "a1");
  Push(b_, "b1");
  EXPECT_FALSE(queue_.Pop(start_, true)) << "one of many that ask in turn";
  Push(c_, "c1");
  const auto next = queue_.Pop(start_, true);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->item, "c1");
  queue_.Done(next->peer, 0, start_);
  queue_.Done(a_, 0, start_);
  EXPECT_EQ(queue_.Pop(start_, true)->item, "b1") << "nobody is being served";
}

TEST_F(FairQueueTest, WhatGoesOnOvertakes) {
  usage_.Add(b_, start_, 100);
  Push(a_, "a1");
  ASSERT_EQ(queue_.Pop(start_)->item, "a1");
  queue_.Push(b_, "b1", 100, start_, true);
  EXPECT_EQ(queue_.Pop(start_, true)->item, "b1");
}

TEST_F(FairQueueTest, WhoHasHadLeastLatelyIsNextOfHoweverMany) {
  for (int i = 0; i < 200; ++i) {
    const Peer peer = PeerAt("198.51.100." + std::to_string(i));
    usage_.Add(peer, start_);
    Push(peer, "flood", 300);
  }
  Push(a_, "a1", 300);
  EXPECT_EQ(Pop(), "a1");
  EXPECT_EQ(Pop(), "flood");
}

TEST_F(FairQueueTest, AFullQueueTakesTheNewestOfTheFullest) {
  Push(a_, "a1", 4);
  Push(a_, "a2", 4);
  Push(a_, "a3", 4);
  Push(b_, "b1", 4);
  EXPECT_EQ(Push(c_, "c1", 4), "a3");
  EXPECT_EQ(Push(b_, "b2", 4), "b2") << "would only turn the tables";
  EXPECT_EQ(Push(a_, "a4", 4), "a4") << "not its own";
  EXPECT_EQ(queue_.Waiting(), 4u);
}

TEST_F(FairQueueTest, OfThoseThatWaitWithOneEachTheOneThatHadMostGivesWay) {
  usage_.Add(b_, start_);
  Push(a_, "a1", 2);
  Push(b_, "b1", 2);
  EXPECT_EQ(Push(c_, "c1", 2), "b1");
  EXPECT_EQ(Push(b_, "b2", 2), "b2");
}

TEST_F(FairQueueTest, WhoIsRefusedAgainAndAgainGivesWayToWhoAsksOnce) {
  FairQueue<std::string> queue(usage_, 1, 1);
  for (int i = 0; i < 3; ++i) {  // four peers that nothing was done for yet, and room for two
    for (int peer = 0; peer < 4; ++peer) {
      queue.Push(PeerAt("198.51.100." + std::to_string(peer)), "flood", 2, start_);
    }
  }
  EXPECT_EQ(queue.Push(a_, "a1", 2, start_), "flood");
  EXPECT_EQ(queue.Pop(start_)->item, "a1");
}

TEST_F(FairQueueTest, APeerWaitsWithItsShareOnly) {
  FairQueue<std::string> queue(usage_, 1, 1);
  EXPECT_EQ(queue.Push(a_, "a1", 100, start_), std::nullopt);
  EXPECT_EQ(queue.Push(a_, "a2", 100, start_), "a2");
  EXPECT_EQ(queue.Push(b_, "b1", 100, start_), std::nullopt);
}

TEST_F(FairQueueTest, APeerIsServedAsOftenAtOnceAsItMay) {
  Push(a_, "a1");
  Push(a_, "a2");
  ASSERT_EQ(queue_.Pop(start_)->item, "a1");
  EXPECT_EQ(queue_.Pop(start_), std::nullopt);
  Push(b_, "b1");
  EXPECT_EQ(queue_.Pop(start_)->item, "b1");
  queue_.Done(a_, 0, start_);
  EXPECT_EQ(queue_.Pop(start_)->item, "a2");
}

TEST_F(FairQueueTest, WhatGoesOnIsBeforeWhatHasNotBegun) {
  Push(a_, "a1");
  Push(b_, "b1");
  ASSERT_EQ(Pop(), "a1");
  queue_.Push(a_, "a1 again", 100, start_, true);
  EXPECT_EQ(Pop(), "a1 again") << "although b has had nothing";
  EXPECT_EQ(Pop(), "b1");
}

TEST_F(FairQueueTest, WhatAnItemCostCounts) {
  for (const char* item : {"a1", "a2"}) {
    Push(a_, item);
  }
  for (const char* item : {"b1", "b2", "b3", "b4"}) {
    Push(b_, item);
  }
  const auto first = queue_.Pop(start_);
  ASSERT_EQ(first->item, "a1");
  queue_.Done(first->peer, 2.5, start_);
  std::vector<std::string> order;
  for (std::string item = Pop(); !item.empty(); item = Pop()) {
    order.push_back(item);
  }
  EXPECT_THAT(order, testing::ElementsAre("b1", "b2", "b3", "b4", "a2"));
}

TEST_F(FairQueueTest, WhatIsTakenOutIsNotServed) {
  Push(a_, "a1");
  Push(a_, "a2");
  EXPECT_TRUE(queue_.Remove(a_, [](const std::string& item) { return item == "a1"; }));
  EXPECT_FALSE(queue_.Remove(a_, [](const std::string& item) { return item == "a1"; }));
  EXPECT_FALSE(queue_.Remove(b_, [](const std::string&) { return true; }));
  EXPECT_EQ(Pop(), "a2");
  EXPECT_EQ(queue_.Waiting(), 0u);
}

}  // namespace
}  // namespace finwait::http
