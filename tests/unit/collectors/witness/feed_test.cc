#include "collectors/witness/feed.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

namespace finwait::witness {
namespace {

TextedEvent Event() {
  TextedEvent event;
  event.event.reason_class = 1;
  event.event.destination_port = 443;
  event.reason = "NETFILTER_DROP";
  return event;
}

TEST(FeedTest, WhatIsPutIsRead) {
  auto feed = MakeFeed();
  ASSERT_TRUE(feed);
  feed->writer.Put(Start{FailureReason::kUnsupported, "no BTF"});
  feed->writer.Put(Event());
  finwait_counts counts = {};
  counts.packets[1][0][2] = 7;
  EXPECT_TRUE(feed->writer.Put(counts));
  feed->writer.Put(Event());
  const auto news = feed->reader.Read();
  ASSERT_TRUE(news);
  ASSERT_TRUE(news->start);
  EXPECT_EQ(news->start->reason, FailureReason::kUnsupported);
  EXPECT_EQ(news->start->why_not, "no BTF");
  ASSERT_EQ(news->events.size(), 2u);
  EXPECT_EQ(news->events[0].reason, "NETFILTER_DROP");
  EXPECT_EQ(news->events[0].event.destination_port, 443);
  ASSERT_TRUE(news->counts);
  EXPECT_EQ(news->counts->packets[1][0][2], 7u);
  EXPECT_EQ(news->counted, 1u);
  EXPECT_FALSE(news->ended);
}

TEST(FeedTest, WhatFindsNoRoomIsCounted) {
  auto feed = MakeFeed();
  ASSERT_TRUE(feed);
  constexpr std::uint64_t kMany = 10'000;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    feed->writer.Put(Event());
  }
  std::uint64_t read = 0;
  for (auto news = feed->reader.Read(); news && !news->events.empty(); news = feed->reader.Read()) {
    read += news->events.size();
  }
  EXPECT_LT(read, kMany);
  feed->writer.Put(finwait_counts{});
  const auto news = feed->reader.Read();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->lost, kMany - read);
}

TEST(FeedTest, TellsOfTheOtherEndsEnd) {
  auto feed = MakeFeed();
  ASSERT_TRUE(feed);
  { const FeedWriter gone = std::move(feed->writer); }
  const auto news = feed->reader.Read();
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->ended);
}

// Somebody who has taken over the other process may write anything.
TEST(FeedTest, NumbersBeyondTheirBoundsAreRefused) {
  for (const auto number : {&finwait_event::packet, &finwait_event::place, &finwait_event::reason_class,
                            &finwait_event::tracked, &finwait_event::ipv6}) {
    auto feed = MakeFeed();
    ASSERT_TRUE(feed);
    TextedEvent event = Event();
    event.event.*number = 200;
    feed->writer.Put(event);
    EXPECT_FALSE(feed->reader.Read());
  }
  auto feed = MakeFeed();
  ASSERT_TRUE(feed);
  EXPECT_EQ(::write(feed->writer.Descriptor(), "half a record", 13), 13);
  EXPECT_FALSE(feed->reader.Read());
}

}  // namespace
}  // namespace finwait::witness
